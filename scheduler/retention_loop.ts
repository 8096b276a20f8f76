/**
 * Takes away what nobody needs any more, a small transaction at a time, with a pause after each.
 *
 *   resting --hourly--> rows of retired deployments -> which deployments may go -> whose logs may go -> events
 *      ^                   -> deliveries -> messages, statuses -> triggers' runs -> (daily) documents, blobs --nothing left--.
 *      '------------------------------------------------------------------------------'
 *
 * A part that fails is said, and left out for some rounds; the others go on.
 * A crash leaves marks in the database (a retired deployment, a log's dropped range) from which the next round goes on.
 * Nothing it locks is claimed, renewed or finished by anybody: all of it has ended long ago.
 */
import { createAside } from "../db/aside.ts";
import type { Aside } from "../db/aside.ts";
import { findExpendable } from "../db/retention/find_expendable.ts";
import type { RetentionPolicy } from "../db/retention/policy.ts";
import { readEnvironmentIds } from "../db/retention/read_environments.ts";
import { removeDeliveries } from "../db/retention/remove_deliveries.ts";
import { removeMessages, removeStatuses } from "../db/retention/remove_told.ts";
import { findSurplus, removeEvents } from "../db/retention/remove_events.ts";
import { removeRuns } from "../db/triggers/remove_runs.ts";
import { removeLogs } from "../db/retention/remove_logs.ts";
import { removeRetired } from "../db/retention/remove_retired.ts";
import { findUnusedBlobs, findUnusedDocuments, removeBlob, removeDocuments } from "../db/retention/remove_unused.ts";
import { retireDeployments } from "../db/retention/retire_deployments.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export type RetentionDeps =
  & Pick<SchedulerDeps, "db" | "clock" | "logger">
  & Partial<Pick<SchedulerDeps, "leadership">>
  & { retention: RetentionPolicy };

const ROUND_SECONDS = 3600;
/** After a start others have more urgent work: agents come back, viewers read. */
const FIRST_SECONDS = 300;
const UNUSED_SECONDS = 24 * 3600;
/** Between two transactions: the disk and the log of the database are everybody's. */
const PAUSE_SECONDS = 0.05;
const DEPLOYMENTS_AT_ONCE = 200;
const UNUSED_AT_ONCE = 2000;
const DOCUMENTS_AT_ONCE = 200;

type Counted =
  | "deployments"
  | "rows"
  | "logChunks"
  | "events"
  | "deliveries"
  | "messages"
  | "statuses"
  | "triggerRuns"
  | "documents"
  | "blobs";
type Counts = Record<Counted, number>;

export function createRetentionLoop(deps: RetentionDeps): Loop {
  const { clock } = deps;
  const aside = createAside(deps, "a part of the retention");
  let roundAt = clock.monotonic() + FIRST_SECONDS * 1000;
  let unusedAt = roundAt;
  /** The round that is under way: each step of it is one transaction. */
  let round: AsyncGenerator<void, Counts> | undefined;
  return createLoop({
    name: "retention",
    sweepSeconds: ROUND_SECONDS,
    onlyLeader: deps.leadership,
    clock,
    logger: deps.logger,
    async run() {
      if (!round) {
        const early = (roundAt - clock.monotonic()) / 1000;
        if (early > 0) return early;
        const withUnused = clock.monotonic() >= unusedAt;
        if (withUnused) unusedAt = clock.monotonic() + UNUSED_SECONDS * 1000;
        round = removeAll(deps, aside, withUnused);
        roundAt = clock.monotonic() + ROUND_SECONDS * 1000;
      }
      try {
        const step = await round.next();
        if (!step.done) return PAUSE_SECONDS;
        round = undefined;
        const counts = Object.fromEntries(Object.entries(step.value).filter(([, count]) => count > 0));
        if (Object.keys(counts).length > 0) deps.logger.log("INFO", "retention removed what is old", counts);
      } catch (error: unknown) {
        round = undefined; // the next round begins anew, with what is there then
        throw error;
      }
    },
  });
}

async function* removeAll(deps: RetentionDeps, aside: Aside, withUnused: boolean): AsyncGenerator<void, Counts> {
  const { db, retention } = deps;
  const counts: Counts = {
    deployments: 0,
    rows: 0,
    logChunks: 0,
    events: 0,
    deliveries: 0,
    messages: 0,
    statuses: 0,
    triggerRuns: 0,
    documents: 0,
    blobs: 0,
  };
  // First what an earlier round, here or elsewhere, let go of and did not come to take away.
  yield* alone(aside, "marked deployments", removeMarked(deps, aside, counts));
  for (const environmentId of await readEnvironmentIds(db)) {
    if (retention.days > 0 || retention.deployments > 0) {
      yield* alone(aside, `deployments of ${environmentId}`, retire(deps, aside, environmentId, counts));
    }
    if (retention.logDays > 0 || retention.logDeployments > 0) {
      yield* alone(aside, `logs of ${environmentId}`, removeOldLogs(deps, aside, environmentId, counts));
    }
  }
  yield* alone(aside, "events", removeOldEvents(deps, counts));
  const old = [
    ["deliveries", removeDeliveries],
    ["messages", removeMessages],
    ["statuses", removeStatuses],
  ] as const;
  // Looks of triggers are bounded by their number too, so also where everything is kept for ever.
  for (const [name, remove] of [...(retention.days > 0 ? old : []), ["triggerRuns", removeRuns] as const]) {
    yield* alone(aside, name, removeOld((after) => remove(db, retention.days, after), name, counts));
  }
  if (withUnused) yield* alone(aside, "documents and blobs", removeUnused(deps, counts));
  return counts;
}

/** One part of the round, to its end or its failure. */
async function* alone(aside: Aside, part: string, steps: AsyncGenerator<void>): AsyncGenerator<void> {
  while ((await aside.attempt(part, () => steps.next()))?.done === false) yield;
}

async function* retire(
  deps: RetentionDeps,
  aside: Aside,
  environmentId: string,
  counts: Counts,
): AsyncGenerator<void> {
  for await (const ids of expendable(deps, environmentId, deps.retention)) {
    counts.deployments += await aside.attemptAll(ids, (some) => retireDeployments(deps.db, some));
    yield;
    yield* removeMarked(deps, aside, counts);
  }
}

async function* removeOld(
  remove: (after?: string) => Promise<{ removed: number; next: string | undefined }>,
  name: Counted,
  counts: Counts,
): AsyncGenerator<void> {
  let after: string | undefined;
  do {
    const batch = await remove(after);
    counts[name] += batch.removed;
    after = batch.next;
    yield;
  } while (after !== undefined);
}

async function* removeOldEvents({ db, retention }: RetentionDeps, counts: Counts): AsyncGenerator<void> {
  const upTo = retention.events > 0 ? await findSurplus(db, retention.events) : undefined;
  if (retention.days === 0 && upTo === undefined) return;
  yield* removeOld((after) => removeEvents(db, { days: retention.days, upTo }, after), "events", counts);
}

async function* removeMarked({ db }: RetentionDeps, aside: Aside, counts: Counts): AsyncGenerator<void> {
  while (true) {
    const removed = await removeRetired(db, undefined, aside);
    if (removed === 0) return;
    counts.rows += removed;
    yield;
  }
}

async function* removeOldLogs(
  deps: RetentionDeps,
  aside: Aside,
  environmentId: string,
  counts: Counts,
): AsyncGenerator<void> {
  const { db, retention } = deps;
  const age = { days: retention.logDays, deployments: retention.logDeployments };
  for await (const ids of expendable(deps, environmentId, age, db.sql`d.logs_removed_at is null`)) {
    for (const id of ids) {
      for (let isDone = false; !isDone;) {
        const batch = await aside.attempt(id, () => removeLogs(db, id, retention.logDays));
        counts.logChunks += batch?.removed ?? 0;
        isDone = batch?.isDone ?? true;
        yield;
      }
    }
  }
}

/** Pages of deployments that may go. */
async function* expendable(
  { db }: RetentionDeps,
  environmentId: string,
  age: { days: number; deployments: number },
  also = db.sql`true`,
): AsyncGenerator<string[]> {
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof findExpendable>> = await findExpendable(db, environmentId, age, {
      after,
      limit: DEPLOYMENTS_AT_ONCE,
      also,
    });
    yield page.ids;
    after = page.next;
  } while (after !== null);
}

async function* removeUnused({ db }: RetentionDeps, counts: Counts): AsyncGenerator<void> {
  const documents = await findUnusedDocuments(db, UNUSED_AT_ONCE);
  for (let at = 0; at < documents.length; at += DOCUMENTS_AT_ONCE) {
    counts.documents += await removeDocuments(db, documents.slice(at, at + DOCUMENTS_AT_ONCE));
    yield;
  }
  for (const sha256 of await findUnusedBlobs(db, UNUSED_AT_ONCE)) {
    counts.blobs += await removeBlob(db, sha256);
    yield;
  }
}
