/**
 * Reads a request's body bounded in size, in time, and in what all such requests together may hold in memory: whoever
 * sends it may mean harm. A body without a length, or one whose length lies, costs no more than an honest one.
 */
import { AppError } from "../domain/app_error.ts";
import type { Clock } from "../domain/ports.ts";

export interface BodyLimits {
  maxBytes: number;
  timeoutMs: number;
  /** Bytes of all bodies at one time, from their first byte until they were dealt with. */
  maxTogether: number;
  /** A body up to here is taken however much is there: else a few large ones could shut everybody out. */
  alwaysBytes: number;
}
/** Nobody vouches for a webhook until it is read. 25 MiB is the most that GitHub sends. */
export const HOOK_BODY: BodyLimits = {
  maxBytes: 25 * 1024 * 1024,
  timeoutMs: 10_000,
  maxTogether: 32 * 1024 * 1024,
  alwaysBytes: 64 * 1024,
};
/** Signing in and enrolling: a few lines, from anybody. */
export const STRANGER_BODY: BodyLimits = {
  maxBytes: 64 * 1024,
  timeoutMs: 10_000,
  maxTogether: 16 * 1024 * 1024,
  alwaysBytes: 4 * 1024,
};
/** Of somebody who is signed in. */
export const CALLER_BODY: BodyLimits = {
  maxBytes: 1024 * 1024,
  timeoutMs: 30_000,
  maxTogether: 64 * 1024 * 1024,
  alwaysBytes: 64 * 1024,
};

/** A program of about 100 MiB, packed, from an admin; one at a time. */
export const RUNTIME_BODY: BodyLimits = {
  maxBytes: 128 * 1024 * 1024,
  timeoutMs: 10 * 60_000,
  maxTogether: 128 * 1024 * 1024,
  alwaysBytes: 64 * 1024,
};

/** @returns what `use` made of the bytes, or "late" when they did not come in time */
export type ReadBody = <T>(
  request: Request,
  use: (bytes: Uint8Array<ArrayBuffer>) => Promise<T> | T,
) => Promise<T | "late">;

export function createBodyReader(clock: Clock, limits: BodyLimits): ReadBody {
  let together = 0;
  return async function readBody(request, use) {
    refusePacked(request);
    if (Number(request.headers.get("content-length") ?? 0) > limits.maxBytes) throw tooLarge(limits.maxBytes);
    const reader = request.body?.getReader();
    if (!reader) return await use(new Uint8Array());
    let parts: Uint8Array[] = [];
    let size = 0;
    let late = false;
    const timer = clock.after(limits.timeoutMs, () => {
      late = true;
      reader.cancel().catch(() => {}); // the sender may be gone by now
    });
    try {
      for (;;) {
        const { done, value } = await readPart(reader);
        if (late) return "late";
        if (done) break;
        size += value.length;
        together += value.length;
        parts.push(value);
        if (size > limits.maxBytes) throw tooLarge(limits.maxBytes);
        if (together > limits.maxTogether && size > limits.alwaysBytes) {
          throw new AppError("unavailable", "request.busy", "Too many large bodies arrive at once; send it again.");
        }
      }
      timer.cancel();
      const bytes = join(parts, size);
      parts = [];
      return await use(bytes);
    } finally {
      timer.cancel();
      together -= size;
      // Ends the stream of a body that was not read to its end; of a finished one it does nothing.
      await reader.cancel().catch(() => {});
    }
  };
}

async function readPart(reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>) {
  try {
    return await reader.read();
  } catch (error: unknown) {
    // Nobody is left to hear it; it is only no mistake of ours.
    throw new AppError("invalid", "request.cut", "The body ended before it was complete; send it again.", [], error);
  }
}

function refusePacked(request: Request): void {
  const packed = request.headers.get("content-encoding");
  if (!packed || packed.toLowerCase() === "identity") return;
  throw new AppError(
    "unsupported",
    "request.content_encoding",
    `Send the body as it is, without Content-Encoding: ${packed.slice(0, 40)}.`,
  );
}

const tooLarge = (most: number) =>
  new AppError(
    "too_large",
    "request.too_large",
    `The body is larger than ${most} bytes, the most this call takes; send less at once.`,
  );

function join(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
