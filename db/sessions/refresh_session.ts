/**
 * A refresh token is good for one use, which gives its successor. A second use means that two hold it, and one of them
 * stole it: the whole family ends. Within a few seconds of the first use it is more likely the second tab of the same
 * browser: that one gets nothing, and nothing ends.
 */
import { recordAudit } from "../audit/record_audit.ts";
import { systemActor } from "../database.ts";
import type { Database } from "../database.ts";

export const REUSE_GRACE_SECONDS = 10;

export type Refreshed =
  | { outcome: "refreshed"; userId: string; family: string }
  | { outcome: "just_used" }
  | { outcome: "reused" }
  | { outcome: "unknown" };

export async function refreshSession(
  db: Database,
  spent: Uint8Array,
  next: Uint8Array,
  lifetimeSeconds: number,
): Promise<Refreshed> {
  return await db.sql.begin(async (tx): Promise<Refreshed> => {
    const [row] = await tx<{ userId: string; family: string; fresh: boolean; live: boolean; justUsed: boolean }[]>`
      select r.user_id, r.family, r.used_at is null as fresh,
        r.expires_at > boreas_now() and r.created_at >= u.sessions_valid_from as live,
        coalesce(r.used_at > boreas_now() - make_interval(secs => ${REUSE_GRACE_SECONDS}), false) as just_used
      from refresh_token r join app_user u on u.id = r.user_id
      where r.hash = ${spent} for update of r`;
    if (!row || !row.live) return { outcome: "unknown" };
    if (row.justUsed) return { outcome: "just_used" };
    if (!row.fresh) {
      await tx`delete from refresh_token where family = ${row.family}`;
      await recordAudit(db, tx, systemActor("refresh"), "auth.refresh_reused", `user:${row.userId}`);
      return { outcome: "reused" };
    }
    await tx`update refresh_token set used_at = boreas_now() where hash = ${spent}`;
    await tx`insert into refresh_token (id, user_id, family, hash, expires_at) values (${db.newId()}, ${row.userId},
      ${row.family}, ${next}, boreas_now() + make_interval(secs => ${lifetimeSeconds}))`;
    return { outcome: "refreshed", userId: row.userId, family: row.family };
  });
}
