/** A person's own triggers; of a file's, a person may change nothing but whether it is on. */
import { isDeepStrictEqual } from "node:util";
import { AppError } from "../../domain/app_error.ts";
import { findTriggerProblems } from "../../domain/check_trigger.ts";
import type { TriggerEvent, TriggerRule, TriggerStart } from "../../domain/trigger.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";
import { endWaiting } from "./settle_run.ts";
import { readNow, tickAfter } from "./next_tick.ts";

type Deps = { db: Database; hints: Hints };

export interface TriggerInput {
  name: string;
  on: TriggerEvent;
  repositoryId: string | null;
  environmentId: string;
  start: TriggerStart;
  rule: TriggerRule;
  enabled: boolean;
}
/** Whatever is given is changed; `rule` is given as a whole. */
export type TriggerChange = Partial<Omit<TriggerInput, "on">>;

/** @returns its id */
export async function createTrigger({ db, hints }: Deps, input: TriggerInput, actor: Actor): Promise<string> {
  const id = db.newId();
  await inTransaction(db, async (tx) => {
    const environment = await nameOf(tx, input.environmentId, actor.projectId);
    await checkRepository(tx, input.repositoryId, actor.projectId);
    check(input.on, environment, input.rule, input.repositoryId);
    const nextDueAt = tickAfter(input.on, input.rule, await readNow(tx));
    const made = await tx`
      insert into trigger (id, project_id, repository_id, source, name, kind, environment, start, rule, enabled, next_due_at, created_by)
      values (${id}, ${actor.projectId}, ${input.repositoryId}, 'api', ${input.name}, ${input.on}, ${environment},
        ${input.start}, ${tx.json(input.rule as never)}, ${input.enabled}, ${nextDueAt}, ${actor.name})
      on conflict do nothing returning id`;
    if (made.length === 0) throw taken(input.name);
    await note(db, tx, actor, id, "trigger.create", {
      name: input.name,
      on: input.on,
      environment,
      start: input.start,
    });
  });
  hints.announce("events");
  return id;
}

export async function updateTrigger(
  { db, hints }: Deps,
  id: string,
  change: TriggerChange,
  actor: Actor,
): Promise<void> {
  await inTransaction(db, async (tx) => {
    const row = await lock(tx, id, actor);
    const { enabled = row.enabled, ...rest } = change;
    if (row.source === "file" && Object.values(rest).some((value) => value !== undefined)) throw readOnly(row.name);
    const environment = change.environmentId === undefined
      ? row.environment
      : await nameOf(tx, change.environmentId, actor.projectId);
    const repositoryId = change.repositoryId === undefined ? row.repositoryId : change.repositoryId;
    const rule = change.rule ?? row.rule;
    const name = change.name ?? row.name;
    await checkRepository(tx, repositoryId, actor.projectId);
    check(row.kind, environment, rule, repositoryId);
    const isSame = isDeepStrictEqual([environment, repositoryId, rule], [row.environment, row.repositoryId, row.rule]);
    const isNew = !isSame || (enabled && !row.enabled);
    const others = await tx`select from trigger where project_id = ${actor.projectId} and source = ${row.source}
      and name = ${name} and id <> ${id} and repository_id is not distinct from ${repositoryId}`;
    if (others.length > 0) throw taken(name);
    const nextDueAt = tickAfter(row.kind, rule, await readNow(tx));
    await tx`
      update trigger set name = ${name}, environment = ${environment}, repository_id = ${repositoryId},
        start = ${change.start ?? row.start}, rule = ${tx.json(rule as never)}, enabled = ${enabled},
        next_due_at = case when ${isNew} then ${nextDueAt} else next_due_at end,
        since = case when ${isNew} then boreas_now() else since end, updated_at = boreas_now()
      where id = ${id}`;
    if (row.enabled && !enabled) await endWaiting(tx, id, `${name} was switched off by ${actor.name}`);
    const verb = row.enabled === enabled ? "trigger.update" : enabled ? "trigger.enable" : "trigger.disable";
    await note(db, tx, actor, id, verb, { name });
  });
  hints.announce("events");
}

/** What it said to events stays with deliveries and versions. */
export async function deleteTrigger({ db, hints }: Deps, id: string, actor: Actor): Promise<void> {
  await inTransaction(db, async (tx) => {
    const row = await lock(tx, id, actor);
    if (row.source === "file") throw readOnly(row.name);
    await endWaiting(tx, id, `${row.name} was removed by ${actor.name}`);
    await tx`delete from trigger where id = ${id}`;
    await note(db, tx, actor, id, "trigger.delete", { name: row.name });
  });
  hints.announce("events");
}

interface LockedTrigger {
  name: string;
  source: "file" | "api";
  kind: TriggerEvent;
  environment: string;
  repositoryId: string | null;
  start: TriggerStart;
  rule: TriggerRule;
  enabled: boolean;
}
async function lock(tx: Tx, id: string, actor: Actor): Promise<LockedTrigger> {
  const [row] = await tx<LockedTrigger[]>`
    select name, source, kind, environment, repository_id, start, rule, enabled from trigger
    where id = ${id} and project_id = ${actor.projectId} for update`;
  if (!row) throw new AppError("not_found", "trigger.unknown", "There is no such trigger.");
  return row;
}

async function nameOf(tx: Tx, environmentId: string, projectId: string): Promise<string> {
  const [row] = await tx<{ name: string }[]>`
    select name from environment where id = ${environmentId} and project_id = ${projectId}`;
  if (row) return row.name;
  throw new AppError("invalid", "environment.unknown", "There is no environment of this id; see GET /environments.");
}

async function checkRepository(tx: Tx, id: string | null, projectId: string): Promise<void> {
  if (id === null) return;
  const rows = await tx`select from repository where id = ${id} and project_id = ${projectId}`;
  if (rows.length > 0) return;
  throw new AppError("invalid", "repository.unknown", "There is no repository of this id; see GET /repositories.");
}

function check(on: TriggerEvent, environment: string, rule: TriggerRule, repositoryId: string | null): void {
  const problems: { path: string; message: string }[] = findTriggerProblems(on, environment, rule);
  if (on === "cron" && repositoryId === null) {
    problems.push({ path: "repositoryId", message: "is missing: the clock does not say whose version to take" });
  }
  const [first] = problems;
  if (first) throw new AppError("invalid", "trigger.invalid", `${first.path} ${first.message}.`, problems);
}

const readOnly = (name: string) =>
  new AppError(
    "conflict",
    "trigger.of_file",
    `${name} stands in the repository's boreas.yaml: change it there. Here it can only be switched on and off.`,
  );
const taken = (name: string) =>
  new AppError("conflict", "trigger.name_taken", `There is a trigger ${name} already; choose another name.`);

async function note(db: Database, tx: Tx, actor: Actor, id: string, verb: string, details: Record<string, unknown>) {
  await recordEvents(tx, [{ topic: "trigger", projectId: actor.projectId, subjectId: id, kind: verb }]);
  await recordAudit(db, tx, actor, verb, `trigger:${id}`, details);
}
