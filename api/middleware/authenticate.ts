/** Who asks: a bearer JWT, a `bor_` token, or the dashboard's cookie. Never anything from the address. */
import type { Context } from "hono";
import { AppError } from "../../domain/app_error.ts";
import { tokenRole } from "../../domain/roles.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import type { Actor } from "../../db/database.ts";
import { readSession } from "../../db/sessions/read_session.ts";
import { useToken } from "../../db/tokens/use_token.ts";
import { verifyAccessToken } from "../access_token.ts";
import { noteTrespass, readTicket, ticketRefusal } from "../blob_ticket.ts";
import { accessCookie } from "../cookies.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { sha256 } from "../secret_text.ts";

export interface Caller {
  actor: Actor;
  caller: string;
  session: string | undefined;
}
const TOKEN = /^bor_[A-Za-z0-9_-]{43}$/;
const MAX_HEADER = 4096;

export async function authenticate(deps: ApiDeps, c: Context<ApiEnv>): Promise<Caller> {
  const header = c.req.header("authorization");
  const ip = c.get("peer");
  if (header === undefined) {
    const cookie = accessCookie(c, deps);
    if (!cookie) throw refuse("auth.required", "Sign in, or send Authorization: Bearer with an API token.");
    return await bySession(deps, cookie, ip);
  }
  const [, credential] = header.match(/^Bearer +(\S+)$/i) ?? [];
  if (!credential || header.length > MAX_HEADER) {
    throw refuse("auth.header", "The Authorization header must be: Bearer, a space, and a token.");
  }
  if (credential.startsWith("bor_")) return await byToken(deps, credential, ip);
  return await bySession(
    deps,
    credential,
    ip,
    () => refuseTicket(deps, credential, ip, `${c.req.method} ${c.req.path}`),
  );
}

/** An agent has no business here: what it holds opens the files of its tasks. */
async function refuseTicket(deps: ApiDeps, credential: string, ip: string, what: string): Promise<void> {
  const ticket = await readTicket(deps, credential);
  if (ticket === undefined || ticket === "expired") return;
  await noteTrespass(deps, ticket, ip, what);
  throw ticketRefusal();
}

/** @param onInvalid has a last look at what is no access token */
async function bySession(deps: ApiDeps, token: string, ip: string, onInvalid?: () => Promise<void>): Promise<Caller> {
  const claims = await verifyAccessToken(deps.keys.jwt, deps.clock, token);
  if (claims === "expired") throw refuse("auth.expired", "The access token has expired; refresh it or sign in again.");
  if (claims === "invalid") await onInvalid?.();
  if (claims === "invalid") throw refuse("auth.invalid", "The access token is not one of ours; sign in again.");
  const user = await readSession(deps.db, DEFAULT_PROJECT, claims.userId, claims.session);
  if (!user) throw refuse("auth.ended", "This session has ended; sign in again.");
  return {
    actor: {
      userId: user.userId,
      name: user.username,
      role: user.role,
      base: user.base,
      ip,
      projectId: DEFAULT_PROJECT,
    },
    caller: `user:${user.userId}`,
    session: claims.session,
  };
}

async function byToken(deps: ApiDeps, token: string, ip: string): Promise<Caller> {
  const found = TOKEN.test(token) ? await useToken(deps.db, await sha256(token)) : undefined;
  if (!found) throw refuse("auth.token", "This API token is unknown, expired or revoked; make a new one.");
  const { userId, name, projectId } = found;
  return {
    actor: {
      userId,
      name: `token:${name}`,
      ...tokenRole({ role: found.role }, { role: found.ownerRole, base: found.ownerBase }),
      ip,
      projectId,
    },
    caller: `token:${found.id}`,
    session: undefined,
  };
}

const refuse = (code: string, message: string) => new AppError("unauthenticated", code, message);
