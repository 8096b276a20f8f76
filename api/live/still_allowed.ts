import type { Context } from "hono";
import { AppError } from "../../domain/app_error.ts";
import { readSession } from "../../db/sessions/read_session.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { authenticate } from "../middleware/authenticate.ts";
import { actorOf } from "../route.ts";

/**
 * Whether the caller of a long answer is still who it was: a session that was ended, a token that was revoked, ends it.
 * An access token that merely grew old does not: its session would give out the next one.
 */
export function stillAllowed(deps: ApiDeps, c: Context<ApiEnv>): () => Promise<boolean> {
  const { projectId, userId } = actorOf(c);
  const session = c.get("session");
  return async () => {
    if (session && userId) return await readSession(deps.db, projectId, userId, session) !== undefined;
    try {
      await authenticate(deps, c);
      return true;
    } catch (error: unknown) {
      if (error instanceof AppError && error.kind === "unauthenticated") return false;
      throw error;
    }
  };
}
