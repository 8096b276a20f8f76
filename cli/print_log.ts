/** Output as it comes: byte by byte, or with `--json` as on the wire, a line of JSON per piece. */
import { Buffer } from "node:buffer";
import { completeUtf8, encodeLogBytes } from "../protocol/chunk_encoding.ts";
import type { CommandContext } from "./command.ts";
import { toPlainJson } from "./plain_text.ts";

export async function printLog(
  { host, json }: Pick<CommandContext, "host" | "json">,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  const printJson = (bytes: Uint8Array) =>
    bytes.length > 0 && host.write(`${toPlainJson(JSON.stringify(encodeLogBytes(bytes)))}\n`);
  let rest: Uint8Array = new Uint8Array();
  for await (const piece of pieces) {
    if (!json) host.write(piece);
    else {
      // The network cuts anywhere, also within a character.
      const bytes = Buffer.concat([rest, piece]);
      const whole = completeUtf8(bytes);
      printJson(bytes.subarray(0, whole));
      rest = bytes.subarray(whole);
    }
  }
  printJson(rest);
}
