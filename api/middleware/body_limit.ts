/**
 * Reads a request's body up to its limit before anything looks at it: a body without a length, or one whose length lies,
 * costs no more than that. Packed bodies are refused: their real size is unknown.
 */
import { createMiddleware } from "hono/factory";
import { AppError } from "../../domain/app_error.ts";
import type { ApiEnv } from "../deps.ts";

export const MAX_BODY_BYTES = 1024 * 1024;
/** Deeper than anything we accept; a hundred thousand brackets would exhaust the stack of whoever walks them. */
const MAX_DEPTH = 64;

export const bodyLimit = () =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const packed = c.req.header("content-encoding");
    if (packed && packed.toLowerCase() !== "identity") {
      throw new AppError(
        "unsupported",
        "request.content_encoding",
        `Send the body as it is, without Content-Encoding: ${packed.slice(0, 40)}.`,
      );
    }
    if (Number(c.req.header("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
    const { body, url, method, headers, signal } = c.req.raw;
    if (body) {
      const bytes = await readUpTo(body, MAX_BODY_BYTES);
      if (depthOf(bytes) > MAX_DEPTH) {
        throw new AppError("invalid", "request.depth", `The body is nested deeper than ${MAX_DEPTH} levels.`);
      }
      // What was read stands in for the stream. Nothing at all is an empty object: many clients send the header alone.
      const isEmptyJson = bytes.length === 0 && headers.get("content-type")?.includes("json");
      c.req.raw = new Request(url, { method, headers, signal, body: isEmptyJson ? "{}" : bytes });
    }
    await next();
  });

const tooLarge = () =>
  new AppError("too_large", "request.too_large", `The body is larger than ${MAX_BODY_BYTES} bytes; send less at once.`);

async function readUpTo(body: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > limit) throw tooLarge(); // leaving the loop cancels the stream
    parts.push(part);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Brackets open at once, strings left out: counted over bytes, before anything parses them. */
function depthOf(json: Uint8Array): number {
  let depth = 0, deepest = 0, inString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inString) {
      if (byte === 0x5c) i++; // backslash: the next byte is taken as it is
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}
