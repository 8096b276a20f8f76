/** RESP2, the protocol that Redis servers speak: commands out, replies in. */
import { Buffer } from "node:buffer";

/** An error that Redis itself answered with. */
export class RedisError extends Error {}

/** Strings stay bytes: what is stored need not be text. */
export type Reply = Buffer | number | bigint | null | RedisError | Reply[];

export function encodeCommand(parts: readonly string[]): Buffer {
  const pieces = [`*${parts.length}\r\n`];
  for (const part of parts) pieces.push(`$${Buffer.byteLength(part)}\r\n`, part, "\r\n");
  return Buffer.from(pieces.join(""));
}

/** Takes bytes as they come, in pieces of any size, and returns the replies that are complete. */
export function createReplyReader(): (bytes: Buffer) => Reply[] {
  let held: Buffer = Buffer.alloc(0);
  return (bytes) => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const replies: Reply[] = [];
    let from = 0;
    for (let read = readReply(held, from); read; read = readReply(held, from)) {
      replies.push(read.reply);
      from = read.end;
    }
    held = held.subarray(from);
    return replies;
  };
}

/** Undefined while the reply is incomplete. */
function readReply(bytes: Buffer, from: number): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", from);
  if (lineEnd < 0) return undefined;
  const line = bytes.subarray(from + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[from]!)) {
    case "+":
      return { reply: line, end };
    case "-":
      return { reply: new RedisError(line.toString()), end };
    case ":":
      return { reply: readInteger(line.toString()), end };
    case "$": {
      const length = Number(line);
      if (length < 0) return { reply: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { reply: bytes.subarray(end, end + length), end: end + length + 2 };
    }
    case "*": {
      const count = Number(line);
      if (count < 0) return { reply: null, end };
      const items: Reply[] = [];
      let at = end;
      while (items.length < count) {
        const item = readReply(bytes, at);
        if (!item) return undefined;
        items.push(item.reply);
        at = item.end;
      }
      return { reply: items, end: at };
    }
    default:
      throw new Error(`Redis sent something that is not RESP2: ${bytes.subarray(from, from + 20).toString("latin1")}`);
  }
}

function readInteger(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}
