import { describe, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { claim, finish, success } from "../../tests/helpers/play_tasks.ts";
import { seedPast } from "../../tests/helpers/seed_past.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { DEFAULT_PROJECT } from "../database.ts";
import type { Database, Tx } from "../database.ts";
import { lockDeployment } from "../deployments/lock_deployment.ts";
import { listDeployments } from "../deployments/read_deployments.ts";
import { createLineIndex } from "../logs/line_index.ts";
import { readLog } from "../logs/read_log.ts";
import { removeDeliveries } from "./remove_deliveries.ts";
import { findSurplus, removeEvents } from "./remove_events.ts";
import { removeLogs } from "./remove_logs.ts";
import { removeRetired } from "./remove_retired.ts";
import { retireDeployments } from "./retire_deployments.ts";

const db = await createTestDatabase({ max: 8 });
const { sql } = db;
const seed = seedWork(db);

describe("a deployment that is let go of", () => {
  it("is shown and acted on no more, before a row of it is gone", async () => {
    const { environmentId, past } = await seedPast(db, seed, "a");
    const { id } = await past();
    const open = await past({ status: "running" });
    expect(await retireDeployments(db, [id, open.id])).toBe(1);
    const shown = await listDeployments(db, DEFAULT_PROJECT, { environmentId, limit: 10 });
    expect(shown.map((d) => d.id)).toEqual([open.id]);
    await expect(sql.begin((tx) => lockDeployment(tx, id, DEFAULT_PROJECT))).rejects.toThrow("There is no deployment");
    await drain();
  });

  it("stays when somebody holds it just then", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id } = await past();
    await sql.begin(async (tx) => {
      await tx`select from deployment where id = ${id} for update`;
      expect(await retireDeployments(db, [id])).toBe(0);
    });
  });

  it("goes row by row, never more in one transaction than a batch", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id, taskIds: [taskId] } = await past();
    const other = await past();
    for (let i = 0; i < 7; i++) await seed.event({ deploymentId: id, subjectId: taskId });
    await seed.log(taskId!, 1, ...Array.from({ length: 11 }, (_, i) => `line ${i}\n`));
    await seed.log(other.taskIds[0]!, 1, "stays\n");
    const parts = [];
    for (let i = 0; i < 6; i++) {
      parts.push(await seed.task({ deploymentId: id, environmentId: await environmentOf(id), state: "success" }));
    }
    await seed.task({ deploymentId: id, environmentId: await environmentOf(id), state: "success", dependsOn: parts });
    await retireDeployments(db, [id]);
    const count = async () => {
      const [row] = await sql<{ n: number }[]>`
        select (select count(*) from log_chunk where task_id = ${taskId!})::int + (select count(*) from event where deployment_id = ${id})::int
          + (select count(*) from task_dependency d join task t on t.id = d.task_id where t.deployment_id = ${id})::int
          + (select count(*) from task where deployment_id = ${id})::int
          + (select count(*) from deployment where id = ${id})::int as n`;
      return row!.n;
    };
    let before = await count();
    expect(before).toBe(11 + 7 + 6 + 8 + 1);
    while (before > 0) {
      const removed = await removeRetired(db, 5);
      const now = await count();
      expect(before - now).toBe(removed);
      expect(removed).toBeGreaterThan(0);
      expect(removed).toBeLessThanOrEqual(5);
      before = now;
    }
    expect(await removeRetired(db, 5)).toBe(0);
    expect(await sql`select 1 from log_chunk where task_id = ${other.taskIds[0]!}`).toHaveLength(1);
  });

  it("goes on from where a crash left it", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id, taskIds: [taskId] } = await past();
    await seed.log(taskId!, 1, "a\n", "b\n");
    await retireDeployments(db, [id]);
    const crashing = holding(db, () => Promise.reject(new Error("killed")));
    await expect(removeRetired(crashing)).rejects.toThrow("killed");
    expect(await sql`select 1 from log_chunk where task_id = ${taskId!}`).toHaveLength(2);
    await drain();
    expect(await sql`select 1 from deployment where id = ${id}`).toHaveLength(0);
  });
});

describe("a batch whose transaction is held open", () => {
  it("keeps nobody from claiming and finishing, and holds no row of anything open", async () => {
    const { environmentId, past, runs } = await seedPast(db, seed, "a");
    const version = await seed.version();
    await runs("a", version);
    const gone = await past();
    const kept = await past({ versionId: version });
    await seed.log(gone.taskIds[0]!, 1, "old\n");
    await seed.log(kept.taskIds[0]!, 1, "kept\n");
    await seed.event({ deploymentId: gone.id });
    await seed.event({ topic: "agent" });
    await sql`update event set created_at = boreas_now() - interval '100 days' where deployment_id is null`;
    const live = await seed.deployment({ environmentId, versionId: version });
    const agentId = await seed.agent({ environments: [environmentId] });
    for (let i = 0; i < 20; i++) await seed.task({ deploymentId: live.id, environmentId });

    const release = Promise.withResolvers<void>();
    const held: Promise<unknown>[] = [];
    let waiting = 0;
    const all = Promise.withResolvers<void>();
    const open = holding(db, () => (++waiting === 3 && all.resolve(), release.promise));
    await retireDeployments(db, [gone.id]);
    held.push(removeRetired(open), removeEvents(open, { days: 90 }, undefined), removeLogs(open, kept.id, 30));
    await all.promise;

    // A row that a batch held would end this at once, and not make it wait.
    await sql.begin(async (tx) => {
      await tx`select from task where deployment_id = ${live.id} for update nowait`;
      await tx`select from deployment where id = ${live.id} for update nowait`;
      for (const table of ["app_state", "agent", "version", "environment"]) {
        await tx`select from ${tx(table)} for update nowait`;
      }
    });
    const claimed = await claim(db, agentId, 20);
    expect(claimed).toHaveLength(20);
    for (const task of claimed) expect(await finish(db, task, success)).toEqual([task.id]);
    release.resolve();
    await Promise.all(held);
    await drain();
    expect(await sql`select 1 from task where deployment_id = ${live.id}`).toHaveLength(20);
  });
});

describe("logs that go before their deployment", () => {
  const head = async (taskId: string) =>
    (await sql`select bytes, dropped_from, dropped_to, dropped_lines, removed_after_days from log_head where task_id = ${taskId}`)[
      0
    ];

  it("leave a range that grows to the whole log, and say after how many days", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id, taskIds: [taskId] } = await past();
    await seed.log(taskId!, 1, "one\n", "two\nthree\n", "four");
    expect(await removeLogs(db, id, 30, 2)).toEqual({ removed: 2, isDone: false });
    expect(await head(taskId!)).toEqual({
      bytes: 18,
      droppedFrom: 0,
      droppedTo: 14,
      droppedLines: 3,
      removedAfterDays: 30,
    });
    expect(await removeLogs(db, id, 30, 2)).toEqual({ removed: 1, isDone: true });
    expect(await head(taskId!)).toEqual({
      bytes: 18,
      droppedFrom: 0,
      droppedTo: 18,
      droppedLines: 3,
      removedAfterDays: 30,
    });
    const marker = "[boreas: 18 bytes (3 lines) of output passed over, removed by retention after 30 days]";
    const part = await readLog(db, taskId!, { attempt: 1, offset: 0 }, 1000);
    expect([new TextDecoder().decode(part!.bytes), part!.next]).toEqual([`${marker}\n`, 18]);
    expect((await createLineIndex(db).lines(taskId!, 1, 0, 10)).lines.map((l) => l.text)).toEqual([marker]);
    const [row] = await sql`select logs_removed_at is not null as done from deployment where id = ${id}`;
    expect(row).toEqual({ done: true });
  });

  it("that have lost their middle to the cap stay one range all the while", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id, taskIds: [taskId] } = await past();
    await seed.log(taskId!, 1, "a\nb\n", "c\nd\n", "dropped\n", "e\nf\n");
    await sql`delete from log_chunk where task_id = ${taskId!} and sequence = 2`;
    // Its edges lie within chunks: "d" and "e" are gone for every reader.
    await sql`update log_head set dropped_from = 6, dropped_to = 18, dropped_lines = 3 where task_id = ${taskId!}`;
    const ranges = [];
    for (let isDone = false; !isDone;) {
      ({ isDone } = await removeLogs(db, id, 30, 1));
      const { droppedFrom, droppedTo, droppedLines } = (await head(taskId!)) as never;
      ranges.push([droppedFrom, droppedTo, droppedLines]);
    }
    expect(ranges.slice(0, 3)).toEqual([[4, 18, 4], [0, 18, 6], [0, 20, 7]]);
    expect(await sql`select 1 from log_chunk where task_id = ${taskId!}`).toHaveLength(0);
  });

  it("say no age when they go because there are enough newer ones", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id, taskIds: [taskId] } = await past({ daysAgo: 1 });
    await seed.log(taskId!, 1, "one\n");
    expect(await removeLogs(db, id, 30)).toEqual({ removed: 1, isDone: true });
    const part = await readLog(db, taskId!, { attempt: 1, offset: 0 }, 1000);
    expect(new TextDecoder().decode(part!.bytes)).toBe(
      "[boreas: 4 bytes (1 lines) of output passed over, removed by retention]\n",
    );
  });

  it("stay while the deployment is open", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id, taskIds: [taskId] } = await past({ status: "running" });
    await seed.log(taskId!, 1, "still\n");
    expect(await removeLogs(db, id, 30)).toEqual({ removed: 0, isDone: true });
    expect(await sql`select 1 from log_chunk where task_id = ${taskId!}`).toHaveLength(1);
  });
});

describe("old events", () => {
  it("go when no deployment has them, in batches, and the young stay", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id } = await past();
    await drainEvents();
    const events = async () =>
      (await sql<{ kind: string }[]>`select kind from event where kind like 'try.%' order by id`).map((e) => e.kind);
    await seed.event({ topic: "agent", kind: "try.old" });
    await seed.event({ topic: "deployment", deploymentId: id, kind: "try.history" });
    await seed.event({ topic: "deployment", deploymentId: db.newId(), kind: "try.orphan" });
    await seed.event({ topic: "version", kind: "try.old" });
    await sql`update event set created_at = boreas_now() - interval '91 days' where kind like 'try.%'`;
    await seed.event({ topic: "agent", kind: "try.young" });
    const first = await removeEvents(db, { days: 90 }, undefined, 2);
    expect(first.removed).toBe(2);
    expect(await events()).toEqual(["try.history", "try.old", "try.young"]);
    const second = await removeEvents(db, { days: 90 }, first.next, 2);
    expect(second).toEqual({ removed: 1, next: undefined });
    expect(await events()).toEqual(["try.history", "try.young"]);
  });

  it("are also those behind so many newer ones of no deployment, but none of the last hour", async () => {
    const { past } = await seedPast(db, seed, "a");
    const { id } = await past();
    await drainEvents();
    for (let n = 1; n <= 6; n++) {
      await seed.event({ topic: "agent", kind: `count.${n}` });
      await seed.event({ topic: "deployment", deploymentId: id, kind: "count.history" });
    }
    await sql`update event set created_at = boreas_now() - interval '2 hours' where kind like 'count.%' and kind <> 'count.3'`;
    expect(await findSurplus(db, 1_000_000)).toBeUndefined();
    const upTo = await findSurplus(db, 2);
    let [removed, after]: [number, string | undefined] = [0, undefined];
    do {
      const batch = await removeEvents(db, { days: 0, upTo }, after, 2);
      expect(batch.removed).toBeLessThanOrEqual(2);
      removed += batch.removed;
      after = batch.next;
    } while (after !== undefined);
    expect(removed).toBe(3);
    const left = await sql<{ kind: string }[]>`
      select kind from event where kind like 'count.%' and deployment_id is null order by id`;
    expect(left.map((row) => row.kind)).toEqual(["count.3", "count.5", "count.6"]);
    expect(await sql`select 1 from event where kind = 'count.history'`).toHaveLength(6);
  });
});

describe("old deliveries", () => {
  it("go unless they made a version, wait, or are the last word on their ref", async () => {
    const repositoryId = db.newId();
    await sql`insert into repository (id, project_id, url, provider, branch, config_paths, webhook_secret, poll_seconds, reason, created_by)
      values (${repositoryId}, ${DEFAULT_PROJECT}, ${`https://example.com/${repositoryId}`}, 'generic', 'main', '{boreas.yaml}', 's', 0,
        ${sql.json(reason("repository.ok", { ref: "main" }) as never)}, 'test')`;
    const versionId = await seed.version();
    const deliver = async (key: string, status: string, ref: string | null, version: string | null = null) =>
      await sql`insert into delivery (id, project_id, repository_id, delivery_key, source, event, ref, commit, status, reason, version_id, received_at)
        values (${db.newId()}, ${DEFAULT_PROJECT}, ${repositoryId}, ${key}, 'webhook', 'push', ${ref}, ${key}, ${status},
          ${sql.json(reason("delivery.received") as never)}, ${version}, boreas_now() - interval '91 days')`;
    await deliver("failed", "failed", "refs/heads/main");
    await deliver("ping", "ignored", null);
    await deliver("made a version", "processed", "refs/heads/main", versionId);
    await deliver("waits", "received", "refs/heads/main");
    await deliver("old tag", "ignored", "refs/tags/v1");
    await deliver("version gone", "processed", "refs/heads/main", db.newId());
    await deliver("last", "failed", "refs/heads/main");
    let after: string | undefined;
    let removed = 0;
    do {
      const batch = await removeDeliveries(db, 90, after, 1);
      expect(batch.removed).toBeLessThanOrEqual(1);
      removed += batch.removed;
      after = batch.next;
    } while (after !== undefined);
    expect(removed).toBe(3);
    const left = await sql<
      { deliveryKey: string }[]
    >`select delivery_key from delivery where repository_id = ${repositoryId} order by id`;
    expect(left.map((d) => d.deliveryKey)).toEqual(["made a version", "waits", "old tag", "last"]);
  });
});

const environmentOf = async (id: string) =>
  (await sql<{ environmentId: string }[]>`select environment_id from deployment where id = ${id}`)[0]!.environmentId;
async function drain() {
  while (await removeRetired(db) > 0);
}
const drainEvents = () => sql`update event set created_at = boreas_now()`;

/** The same database, whose transactions stay open before their commit until `until` is done. */
function holding(real: Database, until: () => Promise<unknown>): Database {
  const begin = (body: (tx: Tx) => Promise<unknown>) =>
    real.sql.begin(async (tx) => {
      const result = await body(tx);
      await until();
      return result;
    });
  return {
    ...real,
    sql: Object.assign((...a: unknown[]) => (real.sql as never as (...b: unknown[]) => unknown)(...a), {
      begin,
    }) as never,
  };
}
