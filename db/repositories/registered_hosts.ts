import { hostOf } from "../../domain/outgoing_check.ts";
import type { Database } from "../database.ts";

/** Whether some registered repository lives on this host: what lies beside it may be called, too. */
export async function isRegisteredHost(db: Database, host: string): Promise<boolean> {
  const rows = await db.sql<{ url: string }[]>`select url from repository`;
  return rows.some((row) => hostOf(row.url) === host);
}
