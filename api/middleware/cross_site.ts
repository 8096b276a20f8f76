/**
 * A page of another site, or of another port of this machine (an application we deployed!), must not act with the
 * dashboard's cookie. Browsers say where a request comes from; who carries a bearer token is no browser acting unasked.
 */
import { createMiddleware } from "hono/factory";
import { AppError } from "../../domain/app_error.ts";
import { accessCookie, refreshCookie } from "../cookies.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";

const READS = new Set(["GET", "HEAD", "OPTIONS"]);

export const crossSiteGuard = (deps: ApiDeps) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    if (READS.has(c.req.method) || c.req.header("authorization")) return await next();
    const site = c.req.header("sec-fetch-site");
    const origin = c.req.header("origin");
    const hasCookie = Boolean(accessCookie(c, deps) ?? refreshCookie(c, deps));
    const foreign = (site !== undefined && site !== "same-origin") ||
      (origin !== undefined && !isOwn(origin, c.req.header("host"), deps.publicUrl));
    if (foreign || (hasCookie && site === undefined && origin === undefined)) {
      throw new AppError(
        "forbidden",
        "request.cross_site",
        "This request comes from another site, so the dashboard's cookie does not count; use an API token.",
      );
    }
    await next();
  });

function isOwn(origin: string, host: string | undefined, publicUrl: string): boolean {
  if (!URL.canParse(origin)) return false; // `null`, of a sandboxed frame
  return origin === new URL(publicUrl).origin || (host !== undefined && new URL(origin).host === host);
}
