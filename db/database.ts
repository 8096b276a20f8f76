import type { CrashPoint } from "../domain/ports.ts";
import type { BaseRole } from "../domain/roles.ts";
import type { Sql, TransactionSql } from "./client.ts";
import type { RecentLogs } from "./logs/recent_logs.ts";

/** What every verb gets: the connection pool, and ids made by us (UUIDv7, so that they sort by creation). */
export interface Database {
  sql: Sql;
  /** Connections of the verbs that each task passes through (`task_store.ts`), where they have their own. */
  taskSql?: Sql;
  newId: () => string;
  /** Named places inside a transaction where a fault test may end the process. */
  crashPoint?: CrashPoint;
  /** What this process has just stored of the logs that are followed in it. */
  recentLogs?: RecentLogs;
}
export type Tx = TransactionSql;

/** Who acts: written into `createdBy` and the audit row. */
export interface Actor {
  /** A user's id; null for the machine itself (a trigger, the poller). */
  userId: string | null;
  /** `admin`, `token:ci`, `push trigger`, ... */
  name: string;
  role: string;
  /** What a role that a team added may call; absent for the three that are always there. */
  base?: BaseRole;
  ip: string | null;
  projectId: string;
}

/** The project that is always there. */
export const DEFAULT_PROJECT = "00000000-0000-7000-8000-000000000001";
export const systemActor = (name: string, projectId = DEFAULT_PROJECT): Actor => ({
  userId: null,
  name,
  role: "system",
  ip: null,
  projectId,
});
