/** `Idempotency-Key`: a write that is sent twice is done once, and both senders get the same answer. */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { AppError } from "../../domain/app_error.ts";
import { beginRequest } from "../../db/idempotency/begin_request.ts";
import type { RequestKey, StoredAnswer } from "../../db/idempotency/begin_request.ts";
import { finishRequest, forgetRequest } from "../../db/idempotency/finish_request.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ANSWERS_WITH_SECRET } from "../permissions.ts";
import { sha256 } from "../secret_text.ts";
import { routeKeyOf } from "./authorize.ts";

const WRITES = new Set(["POST", "PUT", "PATCH", "DELETE"]);
const KEY = /^[\x21-\x7e]{1,255}$/;

export const idempotency = (deps: ApiDeps) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const key = c.req.header("idempotency-key");
    // A public call has nobody whose key it could be.
    if (key === undefined || !WRITES.has(c.req.method) || !c.get("actor")) return await next();
    if (!KEY.test(key)) {
      throw new AppError(
        "invalid",
        "idempotency.key",
        "Idempotency-Key must be 1 to 255 printable characters, no spaces.",
      );
    }
    const request = await requestKey(c, key);
    const begun = await beginRequest(deps.db, request);
    if (begun.outcome === "answered") return replay(begun.answer);
    if (begun.outcome !== "first") throw REFUSALS[begun.outcome]();
    await next();
    if (c.res.status >= 500 || c.res.status === 429) await forgetRequest(deps.db, request);
    else await finishRequest(deps.db, request, await answerOf(c));
  });

const conflict = (code: string, message: string) => () => new AppError("conflict", `idempotency.${code}`, message);
const REFUSALS = {
  mismatch: conflict("mismatch", "This Idempotency-Key was used for another request; use a new one for this."),
  in_progress: conflict(
    "in_progress",
    "The first request with this Idempotency-Key is still being answered; ask again shortly.",
  ),
  abandoned: conflict(
    "abandoned",
    "The first request with this Idempotency-Key never ended: look whether it was done, then use a new key.",
  ),
};

async function requestKey(c: Context<ApiEnv>, key: string): Promise<RequestKey> {
  const { pathname, search } = new URL(c.req.url);
  const body = await c.req.arrayBuffer();
  const head = new TextEncoder().encode(`${c.req.method} ${pathname}${search}\n`);
  const all = new Uint8Array(head.length + body.byteLength);
  all.set(head);
  all.set(new Uint8Array(body), head.length);
  return { projectId: c.get("actor").projectId, caller: c.get("caller"), key, requestHash: await sha256(all) };
}

async function answerOf(c: Context<ApiEnv>): Promise<StoredAnswer> {
  const { status } = c.res;
  if (status < 300 && ANSWERS_WITH_SECRET.has(routeKeyOf(c) ?? "")) return { status, body: null };
  return {
    status,
    body: { contentType: c.res.headers.get("content-type") ?? "application/json", text: await c.res.clone().text() },
  };
}

function replay({ status, body }: StoredAnswer): Response {
  if (body === null) {
    throw new AppError(
      "conflict",
      "idempotency.secret",
      "This was done already, and its secret is shown only once: delete what it made and make a new one.",
    );
  }
  const hasBody = status !== 204 && status !== 304;
  return new Response(hasBody ? body.text : null, {
    status,
    headers: { "Content-Type": body.contentType, "Idempotency-Replayed": "true" },
  });
}
