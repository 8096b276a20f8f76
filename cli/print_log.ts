/** Output as it comes: byte by byte, or with `--json` as on the wire, a line of JSON per piece. */
import { Buffer } from "node:buffer";
import type { CommandContext } from "./command.ts";
import { toPlainJson } from "./plain_text.ts";

export async function printLog(
  { host, json }: Pick<CommandContext, "host" | "json">,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const bytes of pieces) {
    host.write(json ? `${toPlainJson(JSON.stringify(encodeLog(bytes)))}\n` : bytes);
  }
}

/** Text where it is text, else base64. */
export function encodeLog(bytes: Uint8Array): { encoding: "utf8" | "base64"; data: string } {
  try {
    return { encoding: "utf8", data: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error: unknown) {
    if (!(error instanceof TypeError)) throw error;
    return { encoding: "base64", data: Buffer.from(bytes).toString("base64") };
  }
}
