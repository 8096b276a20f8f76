/** Output as it comes: byte by byte, or with `--json` as on the wire, a line of JSON per piece. */
import { completeUtf8, encodeChunk } from "../protocol/chunk_encoding.ts";
import type { CommandContext } from "./command.ts";
import { toPlainJson } from "./plain_text.ts";

export async function printLog(
  { host, json }: Pick<CommandContext, "host" | "json">,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  const printJson = (bytes: Uint8Array) =>
    bytes.length > 0 && host.write(`${toPlainJson(JSON.stringify(encodeChunk(bytes)))}\n`);
  let rest = new Uint8Array();
  for await (const piece of pieces) {
    if (!json) host.write(piece);
    else {
      // The network cuts anywhere, also within a character.
      const bytes = new Uint8Array(await new Blob([rest, piece as Uint8Array<ArrayBuffer>]).arrayBuffer());
      const whole = completeUtf8(bytes);
      printJson(bytes.subarray(0, whole));
      rest = bytes.slice(whole);
    }
  }
  printJson(rest);
}
