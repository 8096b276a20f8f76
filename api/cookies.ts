/** The dashboard's two cookies. Script cannot read them, other sites cannot send them. */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { ACCESS_SECONDS } from "./access_token.ts";
import type { ApiDeps, ApiEnv } from "./deps.ts";

export const REFRESH_SECONDS = 30 * 86_400;
/** The refresh cookie goes nowhere else; so it cannot be a `__Host-` one, which would have to go everywhere. */
const REFRESH_PATH = "/api/v1/auth";
type Secure = Pick<ApiDeps, "secureCookies">;

export const accessCookie = (c: Context<ApiEnv>, { secureCookies }: Secure) =>
  getCookie(c, "boreas", secureCookies ? "host" : undefined);
export const refreshCookie = (c: Context<ApiEnv>, { secureCookies }: Secure) =>
  getCookie(c, "boreas-refresh", secureCookies ? "secure" : undefined);

export function setSessionCookies(
  c: Context<ApiEnv>,
  { secureCookies }: Secure,
  tokens: { accessToken: string; refreshToken: string },
): void {
  const shared = { httpOnly: true, secure: secureCookies, sameSite: "Strict" as const };
  setCookie(c, "boreas", tokens.accessToken, {
    ...shared,
    path: "/",
    maxAge: ACCESS_SECONDS,
    ...(secureCookies && { prefix: "host" as const }),
  });
  setCookie(c, "boreas-refresh", tokens.refreshToken, {
    ...shared,
    path: REFRESH_PATH,
    maxAge: REFRESH_SECONDS,
    ...(secureCookies && { prefix: "secure" as const }),
  });
}

export function clearSessionCookies(c: Context<ApiEnv>, { secureCookies }: Secure): void {
  const shared = { httpOnly: true, secure: secureCookies, sameSite: "Strict" as const };
  deleteCookie(c, "boreas", { ...shared, path: "/", ...(secureCookies && { prefix: "host" as const }) });
  deleteCookie(c, "boreas-refresh", {
    ...shared,
    path: REFRESH_PATH,
    ...(secureCookies && { prefix: "secure" as const }),
  });
}
