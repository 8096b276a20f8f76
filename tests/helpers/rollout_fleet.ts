/** Machines with one application in common, rolled out over them; and what may happen to a machine meanwhile. */
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { getTasksOfDeployment } from "../../db/tasks/read_tasks.ts";
import type { Observed } from "../../protocol/observed.ts";
import { claim, finish } from "./play_tasks.ts";
import { seedWorld } from "./seed_release.ts";
import type { World } from "./seed_release.ts";
import type { TestDatabase } from "./test_database.ts";

export interface Fleet extends World {
  ids: string[];
  names: string[];
  app: string;
  deploy(version: string, only?: string[]): Promise<string>;
  shape(id: string): Promise<string[]>;
  status(id: string): Promise<string>;
  /** Everything that may run does, and succeeds unless told otherwise. */
  play(outcomeOf?: (machine: string) => "success" | "failed"): Promise<string[]>;
}

export function rolloutFleets(db: TestDatabase) {
  let count = 0;
  async function fleet(size: number, config: Record<string, unknown>, environmentConfig = {}): Promise<Fleet> {
    const suffix = `${++count}`;
    const app = `order-${suffix}`;
    const world = await seedWorld(db, {
      type: "pm",
      applications: { [app]: { runtime: { script: { deploy: "d.sh" } }, ...config } },
      environmentConfig,
    });
    const names = Array.from({ length: size }, (_, i) => `m${i + 1}-${suffix}`);
    const ids: string[] = [];
    for (const name of names) ids.push(await world.agent(name));
    await db.sql`update agent set updated_at = boreas_now() - interval '1 h' where id = any(${ids}::uuid[])`; // long known
    return {
      ...world,
      ids,
      names,
      app,
      async deploy(version) {
        const versionId = await world.version(`${version}-${suffix}`);
        const id = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
        await startDeployment(world.deps, id, world.actor);
        return id;
      },
      shape: async (id) =>
        (await getTasksOfDeployment(db, id)).filter((t) => t.parentId !== null || t.type === "rollback").map((t) => {
          const name = t.name.replace(`-${suffix}`, "");
          const batch = t.type === "apply" && typeof t.payload.batch === "number" ? `#${t.payload.batch}` : "";
          return `${t.type === "rollback" ? "back " : ""}${name}${batch} ${
            t.step === "blocked" ? "blocked" : t.status
          }`;
        }),
      status: async (id) =>
        (await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`)[0]!.status,
      async play(outcomeOf = () => "success") {
        const played: string[] = [];
        for (let more = true; more;) {
          more = false;
          for (const [i, id] of ids.entries()) {
            const [agent] = await db
              .sql`select 1 from agent where id = ${id} and status = 'connected' and not cordoned`;
            for (const task of agent ? await claim(db, id, 5) : []) {
              more = true;
              played.push(names[i]!.replace(`-${suffix}`, ""));
              await finish(db, task, { status: outcomeOf(`m${i + 1}`), message: "played" });
            }
          }
        }
        return played;
      },
    };
  }
  const offline = (id: string, ago: number) =>
    db.sql`update agent set status = 'disconnected', last_seen_at = boreas_now() - make_interval(secs => ${ago}) where id = ${id}`;
  const online = (id: string) =>
    db.sql`update agent set status = 'connected', last_seen_at = boreas_now() where id = ${id}`;
  const due = (id: string) =>
    db.sql`update task set run_after = boreas_now() where deployment_id = ${id} and type in ('pause', 'gate')`;
  /** The task has been pending for so long. */
  const waited = (id: string, seconds: number) =>
    db.sql`update task set state_since = boreas_now() - make_interval(secs => ${seconds}) where deployment_id = ${id} and state = 'pending'`;
  const bad = (world: Fleet, version: string, why = "GET /healthz answered 500"): Observed => ({
    application: world.app,
    environmentId: world.environmentId,
    target: "m1",
    version: `${version}-${world.app.replace("order-", "")}`,
    health: "degraded",
    resources: [],
    differences: null,
    details: { turnedBad: why },
  });
  return { fleet, offline, online, due, waited, bad };
}
