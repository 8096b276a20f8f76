/** Every body is read and bounded before anything looks at it; packed ones are refused: their real size is unknown. */
import { createMiddleware } from "hono/factory";
import { AppError } from "../../domain/app_error.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { problem } from "../error_response.ts";
import { CALLER_BODY, createBodyReader, RUNTIME_BODY, STRANGER_BODY } from "../read_body.ts";

/** Deeper than anything we accept; a hundred thousand brackets would exhaust the stack of whoever walks them. */
const MAX_DEPTH = 64;
/** Below it a program is uploaded: large, no JSON, and for admins only. */
const RUNTIMES = "/api/v1/install/runtimes/";

export const bodyLimit = ({ clock }: Pick<ApiDeps, "clock">) => {
  const ofCaller = createBodyReader(clock, CALLER_BODY);
  const ofStranger = createBodyReader(clock, STRANGER_BODY);
  const ofRuntime = createBodyReader(clock, RUNTIME_BODY);
  return createMiddleware<ApiEnv>(async (c, next) => {
    const { raw } = c.req;
    const isRuntime = raw.method === "PUT" && c.req.path.startsWith(RUNTIMES);
    const readBody = !c.get("actor") ? ofStranger : isRuntime ? ofRuntime : ofCaller;
    const outcome = await readBody(raw, async (bytes) => {
      if (raw.body) {
        if (!isRuntime && depthOf(bytes) > MAX_DEPTH) {
          throw new AppError("invalid", "request.depth", `The body is nested deeper than ${MAX_DEPTH} levels.`);
        }
        const { url, method, headers, signal } = raw;
        // What was read stands in for the stream. Nothing at all is an empty object: many clients send the header alone.
        const isEmptyJson = bytes.length === 0 && headers.get("content-type")?.includes("json");
        c.req.raw = new Request(url, { method, headers, signal, body: isEmptyJson ? "{}" : bytes });
      }
      await next();
    });
    if (outcome === "late") {
      return problem(408, "Too slow", "request.timeout", "The body did not arrive in time; send it again.");
    }
  });
};

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
