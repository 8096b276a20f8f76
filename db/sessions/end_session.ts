import type { Database } from "../database.ts";

/** Ends the session: its refresh token and its access tokens stop working at once. */
export async function endSession(db: Database, by: { family: string } | { refreshHash: Uint8Array }): Promise<void> {
  if ("family" in by) await db.sql`delete from refresh_token where family = ${by.family}`;
  else {
    await db.sql`delete from refresh_token
      where family = (select family from refresh_token where hash = ${by.refreshHash})`;
  }
}
