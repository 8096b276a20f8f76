/**
 * Reads the body of a request that nobody vouches for yet: bounded in size, in time, and in what all such requests
 * together may hold in memory.
 */
import { AppError } from "../domain/app_error.ts";
import type { Clock } from "../domain/ports.ts";

export interface HookBodyLimits {
  maxBytes: number;
  timeoutMs: number;
  /** Bytes of all bodies that are being read at one time. */
  maxTogether: number;
}
/** 25 MiB is the most that GitHub sends. */
export const HOOK_BODY_LIMITS: HookBodyLimits = {
  maxBytes: 25 * 1024 * 1024,
  timeoutMs: 10_000,
  maxTogether: 75 * 1024 * 1024,
};

/** @returns the bytes, or undefined when they did not come in time */
export type ReadHookBody = (request: Request) => Promise<Uint8Array<ArrayBuffer> | undefined>;

export function createHookBodyReader(clock: Clock, limits: HookBodyLimits = HOOK_BODY_LIMITS): ReadHookBody {
  let together = 0;
  return async function readHookBody(request) {
    const packed = request.headers.get("content-encoding");
    if (packed && packed.toLowerCase() !== "identity") {
      throw new AppError(
        "unsupported",
        "request.content_encoding",
        "Send the body as it is, without Content-Encoding.",
      );
    }
    if (Number(request.headers.get("content-length") ?? 0) > limits.maxBytes) throw tooLarge(limits.maxBytes);
    const reader = request.body?.getReader();
    if (!reader) return new Uint8Array();
    const parts: Uint8Array[] = [];
    let size = 0;
    let late = false;
    const timer = clock.after(limits.timeoutMs, () => {
      late = true;
      reader.cancel().catch(() => {}); // the sender may be gone by now
    });
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (late) return undefined;
        if (done) return join(parts, size);
        size += value.length;
        together += value.length;
        parts.push(value);
        if (size > limits.maxBytes) throw tooLarge(limits.maxBytes);
        if (together > limits.maxTogether) {
          throw new AppError("unavailable", "webhook.busy", "Too many large webhooks arrive at once; send it again.");
        }
      }
    } finally {
      timer.cancel();
      together -= size;
      // Ends the stream of a body that was not read to its end; of a finished one it does nothing.
      await reader.cancel().catch(() => {});
    }
  };
}

const tooLarge = (most: number) =>
  new AppError(
    "too_large",
    "request.too_large",
    `The body is larger than ${most} bytes, the most that a webhook may have.`,
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
