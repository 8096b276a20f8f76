/**
 * Two deployments of one application under random acts of approvers, of those who freeze, mark versions, start, cancel,
 * retry and roll back. Whatever the order: each makes legal moves only, none starts without its approvals, of a reverted
 * version, in a freeze that nobody passed, or beside the other; locks are held by what is active and by nothing else; and
 * when everything is answered both end.
 */
import fc from "../../tests/helpers/fast_check.ts";
import { beforeAll, expect, it } from "vitest";
import { AppError } from "../../domain/app_error.ts";
import { canMoveDeployment, isActive, isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { claim, failure, finish, playAll, success } from "../../tests/helpers/play_tasks.ts";
import { modelRuns, patience } from "../../tests/helpers/model_runs.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import type { Actor } from "../database.ts";
import { createFreeze } from "../freezes/create_freeze.ts";
import { endFreeze } from "../freezes/end_freeze.ts";
import { revertVersion, unrevertVersion } from "../versions/mark_version.ts";
import { approveDeployment, rejectDeployment } from "./approve_deployment.ts";
import { cancelDeployment } from "./cancel_deployment.ts";
import { createDeployment } from "./create_deployment.ts";
import { retryDeployment } from "./retry_deployment.ts";
import { rollbackDeployment } from "./rollback_deployment.ts";
import { startDeployment } from "./start_deployment.ts";
import { startWaiting } from "./start_waiting.ts";

const RUNS = modelRuns("starts", 36);
let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

const ACTS = [
  ...["approve", "approve", "approveToo", "start", "start", "sweep", "sweep", "work", "work", "fail"],
  ...["revert", "unrevert", "freeze", "thaw", "override", "reject", "cancel", "retry", "rollback"],
] as const;
const Step = fc.record({ act: fc.constantFrom(...ACTS), first: fc.boolean() });

interface Row {
  id: string;
  versionId: string;
  status: DeploymentState;
  version: "normal" | "revert";
  approvals: number;
  needed: number;
  locks: number;
  /** Tasks that may be handed out, or are. */
  live: number;
  moves: string[];
}

class Game {
  freezes: string[] = [];
  passed = new Set<string>();
  constructor(
    readonly world: World,
    readonly player: string,
    readonly other: Actor,
    readonly ids: [string, string],
  ) {}

  read = async () =>
    (await db.sql<Row[]>`
      select d.id, d.version_id, d.status, v.status as version, d.approvals_needed as needed,
        (select count(*)::int from approval a where a.deployment_id = d.id and a.plan_hash = d.plan_hash and a.decision = 'approve') as approvals,
        (select count(*)::int from deployment_lock l where l.deployment_id = d.id) as locks,
        (select count(*)::int from task t where t.deployment_id = d.id and t.is_leaf and (t.agent_id is not null or t.state = 'pending' and t.open)) as live,
        (select coalesce(array_agg(e.data ->> 'name' order by e.id), '{}') from event e where e.deployment_id = d.id and e.topic = 'deployment' and e.kind like 'deployment.%'
          and e.data ->> 'name' = replace(e.kind, 'deployment.', '')) as moves
      from deployment d join version v on v.id = d.version_id where d.id = any(${this.ids}::uuid[]) order by d.id`).map(
      (r) => r,
    );

  async act(act: (typeof ACTS)[number], id: string, versionId: string): Promise<void> {
    const { deps, actor, environmentId } = this.world;
    switch (act) {
      case "approve":
        return await approveDeployment(deps, id, actor);
      case "approveToo":
        return await approveDeployment(deps, id, this.other);
      case "reject":
        return await rejectDeployment(deps, id, actor);
      case "start":
        return await startDeployment(deps, id, actor);
      case "override":
        await startDeployment(deps, id, actor, "", { reason: "It burns." });
        if (this.freezes.length > 0) this.passed.add(id);
        return;
      case "sweep":
        return await startWaiting(deps);
      case "work":
        for (const task of await claim(db, this.player, 1)) await finish(db, task, success);
        return;
      case "fail":
        for (const task of await claim(db, this.player, 1)) await finish(db, task, failure());
        return;
      case "revert":
        return await revertVersion(deps, versionId, "bad", actor);
      case "unrevert":
        return await unrevertVersion(deps, versionId, "good", actor);
      case "freeze": {
        const until = "2999-01-01T00:00:00Z";
        return void this.freezes.push(await createFreeze(deps, { environmentId, until, reason: "quiet" }, actor));
      }
      case "thaw":
        for (const freeze of this.freezes.splice(0)) await endFreeze(deps, freeze, "go", actor);
        return;
      case "cancel":
        return await cancelDeployment(deps, id, actor);
      case "retry":
        return await retryDeployment(deps, id, actor);
      case "rollback":
        return await rollbackDeployment(deps, id, actor);
    }
  }

  async step(act: (typeof ACTS)[number], first: boolean): Promise<void> {
    const before = await this.read();
    const wasFrozen = this.freezes.length > 0;
    const one = before[first ? 0 : 1]!;
    await this.act(act, one.id, one.versionId).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
    });
    const after = await this.read();
    for (const [i, now] of after.entries()) {
      const was = before[i]!;
      const began = now.moves.slice(was.moves.length).includes("running");
      if (began) {
        expect(was.version, `${act}: a reverted version never starts`).toBe("normal");
        expect(now.approvals, `${act}: nothing starts without its approvals`).toBeGreaterThanOrEqual(now.needed);
        const passes = this.passed.has(now.id) || act === "override";
        expect(wasFrozen && act !== "thaw" && !passes, `${act}: nothing starts in a freeze that nobody passed`).toBe(
          false,
        );
      }
      const path = [...now.moves] as DeploymentState[];
      for (let m = 1; m < path.length; m++) {
        const legal = path[m] === path[m - 1] || canMoveDeployment(path[m - 1]!, path[m]!);
        expect(legal, `${act}: ${path[m - 1]} -> ${path[m]}`).toBe(true);
      }
      expect(now.locks, `locks of one that is ${now.status}`).toBe(isActive(now.status) ? 1 : 0);
      if (!isActive(now.status)) expect(now.live, `work of one that is ${now.status}`).toBe(0);
    }
    expect(after.filter((row) => isActive(row.status)).length, "one at a time").toBeLessThanOrEqual(1);
  }

  async end(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      for (const act of ["thaw", "unrevert", "approve", "approveToo", "start", "sweep"] as const) {
        for (const first of [true, false]) await this.step(act, first);
      }
      // A task that failed waits a while before it is tried again.
      await db.sql`update task set run_after = boreas_now() where deployment_id = any(${this.ids}::uuid[])`;
      await playAll(db, [this.player]);
      if ((await this.read()).every((row) => isEnded(row.status))) return;
    }
    expect.fail(`it never ends: ${(await this.read()).map((row) => row.status).join(", ")}`);
  }
}

async function setUp(needed: number, onFailure: string): Promise<Game> {
  const suffix = db.newId().slice(-8);
  const strategy = { type: "all", onFailure: { action: onFailure } };
  const world = await seedWorld(db, {
    applications: { [`app-${suffix}`]: { strategy } },
    policy: { approvals: { count: needed } },
  });
  const userId = db.newId();
  await db.sql`insert into app_user (id, username, password_hash) values (${userId}, ${`other-${suffix}`}, 'none')`;
  const plan = async (version: string) => {
    const versionId = await world.version(`${version}-${suffix}`);
    return await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
  };
  const player = await world.agent(`player-${suffix}`);
  const ids: [string, string] = [await plan("v1"), await plan("v2")];
  return new Game(world, player, { ...world.actor, userId, name: "other" }, ids);
}

it("starts nothing that must not start, moves only as it may, and always ends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1, 2),
      fc.constantFrom("rollback", "stop"),
      fc.array(Step, { minLength: 4, maxLength: 18 }),
      async (needed, onFailure, steps) => {
        const game = await setUp(needed, onFailure);
        for (const { act, first } of steps) await game.step(act, first);
        await game.end();
      },
    ),
    RUNS,
  );
}, patience(RUNS));
