/** The outermost layer: who is at the other end, an id for the request, the headers of every answer, the access log. */
import { createMiddleware } from "hono/factory";
import type { ApiDeps, ApiEnv } from "../deps.ts";

/** No inline script or style, no frame around us, nothing from anywhere else. The same on every answer, errors too. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
};
/** Asked for every few seconds by machines; not worth a line each. */
const QUIET = new Set(["/v1/health", "/v1/ready", "/metrics"]);

export const requestContext = (deps: ApiDeps) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const requestId = deps.db.newId();
    const began = deps.clock.monotonic();
    c.set("requestId", requestId);
    c.set("peer", peerOf(c.env));
    await next();
    c.res.headers.set("X-Request-Id", requestId);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
    if (deps.secureCookies) c.res.headers.set("Strict-Transport-Security", "max-age=31536000");
    if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
    // The path alone: a query may hold what somebody should not have put there.
    deps.logger.log(QUIET.has(c.req.path) ? "DEBUG" : "INFO", "request", {
      requestId,
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      milliseconds: Math.round(deps.clock.monotonic() - began),
      peer: c.get("peer"),
      ...(c.get("actor") && { actor: c.get("actor").name }),
    });
  });

/** The socket's own address, as the HTTP server hands it over. `X-Forwarded-For` is anybody's to write. */
function peerOf(env: unknown): string {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress?.replace(/^::ffff:/, "") ?? "unknown";
}
