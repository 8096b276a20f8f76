/** An uploaded runtime, before anything keeps it: is it packed, is it a program, and for the machines it is said to be for? */
import { createHash } from "node:crypto";
import { AppError } from "../../domain/app_error.ts";

/** Unpacked. Deno has about 100 MiB; a small file may be made to unpack to terabytes. */
const MAX_BYTES = 512 * 1024 * 1024;
/** `e_machine` of an ELF file. */
const MACHINES: Record<string, number> = { amd64: 0x3e, arm64: 0xb7 };

/** @returns SHA-256 and size of the program itself */
export async function checkRuntime(
  packed: Uint8Array<ArrayBuffer>,
  arch: string,
): Promise<{ sha256: string; size: number }> {
  const refuse = (message: string) => new AppError("invalid", "runtime.invalid", message);
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) {
    throw refuse("The body must be the program, packed with gzip; `boreas runtime upload` does that.");
  }
  const hash = createHash("sha256");
  let size = 0;
  let head = new Uint8Array();
  try {
    for await (const part of new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))) {
      if (head.length < 20) head = new Uint8Array([...head, ...part.slice(0, 20)]);
      size += part.length;
      if (size > MAX_BYTES) throw refuse(`The program unpacks to more than ${MAX_BYTES / 1024 / 1024} MiB.`);
      hash.update(part);
    }
  } catch (error: unknown) {
    if (error instanceof AppError) throw error;
    throw refuse(`The packed program is damaged: ${(error as Error).message}.`);
  }
  const isProgram = head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
  const machine = (head[18] ?? 0) | ((head[19] ?? 0) << 8);
  if (!isProgram) throw refuse("This is no Linux program (ELF); unpack the archive of the release first.");
  if (machine !== MACHINES[arch]) {
    const found = Object.keys(MACHINES).find((name) => MACHINES[name] === machine) ?? "something else";
    throw refuse(`This is a program for ${found}, not for ${arch}.`);
  }
  return { sha256: hash.digest("hex"), size };
}
