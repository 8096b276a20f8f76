import type { Chance, Clock, CrashPoint, Logger } from "../domain/ports.ts";
import type { SecretSources } from "../domain/secret_source.ts";
import type { PlanStages } from "../domain/strategy.ts";
import type { Database } from "../db/database.ts";
import type { Observer, Report } from "../db/environments/record_observed.ts";
import type { Hints } from "../db/hints.ts";
import type { Vault } from "../db/secrets/vault.ts";
import type { QueryStore } from "../db/queries/query_store.ts";
import type { ClaimedTask } from "../db/tasks/claim_tasks.ts";
import type { TaskStore } from "../db/tasks/task_store.ts";
import type { UpgradeStore } from "../db/upgrades/upgrade_store.ts";
import type { Dispatch } from "../protocol/agent_messages.ts";
import type { IdentityStore } from "../db/agents/identity_store.ts";
import type { Session } from "./agent_sessions.ts";
import type { Leadership } from "./leadership.ts";

/** What the heart of the scheduler needs, and nothing that a simulation could not give it. Seconds throughout. */
export interface CoreDeps {
  store: TaskStore;
  newId: () => string;
  hints: Hints;
  clock: Clock;
  chance: Chance;
  logger: Logger;
  crashPoint: CrashPoint;
  masterId: string;
  leaseSeconds: number;
  sweepSeconds: number;
  restartGraceSeconds: number;
  /** Absent where agents are not upgraded, as in a simulation. */
  upgrades?: UpgradeStore;
  /** Stores what an agent saw. @returns how much of it was of nothing that was deployed to it */
  recordObserved?(observer: Observer, report: Report): Promise<number>;
  /** Notes what an agent can run from now on. */
  changeModes?(agentId: string, modes: readonly string[]): Promise<void>;
  /** Absent where nobody looks at what runs, as in a simulation. */
  queries?: QueryStore;
  /** Absent where links are trusted, as in a simulation. */
  identities?: IdentityStore;
  /** Turns a claimed task into what its agent is sent; a failure ends the task with its sentence. */
  makeDispatch(task: ClaimedTask, session: Session): Promise<Dispatch>;
}

/** What the loops around it need, passed in. */
export interface SchedulerDeps extends Omit<CoreDeps, "store" | "newId" | "makeDispatch" | "identities" | "upgrades"> {
  db: Database;
  vault: Vault;
  /** Values of secrets that are kept elsewhere; absent where none are. */
  secretSources?: SecretSources;
  planners: Record<string, PlanStages>;
  /** An agent's keys are renewed when they are older; 0 for never, 90 unless told. */
  agentKeyDays?: number;
  /** Who of several masters on one database does what only one must do. */
  leadership: Leadership;
  /** base64url raw Ed25519: what releases of the agent are signed with. */
  releaseKey?: string;
  /** 32 bytes: what blob tickets are signed with. */
  blobTicketKey: Uint8Array;
  /** Beyond it the log of an attempt keeps its first and its last part only. */
  logCapBytes?: number;
  /** How long what differs must have been so before it is judged after a deployment, and healed. */
  driftSettleSeconds?: number;
}
