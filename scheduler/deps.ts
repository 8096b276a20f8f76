import type { Chance, Clock, CrashPoint, Logger } from "../domain/ports.ts";
import type { PlanStages } from "../domain/strategy.ts";
import type { Database } from "../db/database.ts";
import type { Hints } from "../db/hints.ts";
import type { Vault } from "../db/secrets/vault.ts";

/** What the loops and the gateway need, passed in. Seconds throughout. */
export interface SchedulerDeps {
  db: Database;
  hints: Hints;
  vault: Vault;
  clock: Clock;
  chance: Chance;
  logger: Logger;
  crashPoint: CrashPoint;
  planners: Record<string, PlanStages>;
  masterId: string;
  /** 32 bytes: what blob tickets are signed with. */
  blobTicketKey: Uint8Array;
  leaseSeconds: number;
  sweepSeconds: number;
  restartGraceSeconds: number;
}
