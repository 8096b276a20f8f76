/** A repository with staging and prod behind it, an agent that plays what is deployed, and time that can be let pass. */
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { systemActor } from "../../db/database.ts";
import { runTriggers } from "../../scheduler/trigger_loop.ts";
import { createGitRemote } from "./git_remote.ts";
import { createGitopsWorld } from "./gitops_world.ts";
import { playAll } from "./play_tasks.ts";
import { seedWork } from "./seed_work.ts";
import type { TestDatabase } from "./test_database.ts";

export interface SeenRun {
  id: string;
  trigger: string;
  event: string;
  outcome: string;
  text: string;
  version: string | null;
  deploymentId: string | null;
}

export const application = (name: string, environments = "staging: {}, prod: {}") =>
  `---
apiVersion: boreas/v1
kind: Application
name: ${name}
source: { paths: [services/${name}/**] }
environments: { ${environments} }
`;
export const plan = (...triggers: string[]) =>
  `---\napiVersion: boreas/v1\nkind: Plan\ntriggers:\n${triggers.map((t) => `  - { ${t} }`).join("\n")}\n`;

export async function createTriggerWorld(
  db: TestDatabase,
  triggers: string[],
  options: { policy?: unknown; applications?: string[] } = {},
) {
  const world = await createGitopsWorld(db);
  const { deps, projectId } = world;
  const remote = await createGitRemote();
  const staging = await world.environment("staging");
  const prod = await world.environment("prod", { policy: options.policy ?? {} });
  const agentId = await seedWork(db, projectId).agent({ name: `player-${projectId.slice(-6)}` });
  await db
    .sql`insert into agent_environment (agent_id, environment_id) values (${agentId}, ${staging}), (${agentId}, ${prod})
    on conflict do nothing`;
  const repositoryId = await world.repository(remote);
  const names = options.applications ?? ["order"];
  const files = (own: string[]) => ({
    "boreas.yaml": names.map((n) => application(n)).join("") + (own.length > 0 ? plan(...own) : ""),
  });
  const code = (text: string) => Object.fromEntries(names.map((name) => [`services/${name}/a`, text]));
  const nameOf = (commit: string) => `main-${commit.slice(0, 12)}`;
  const idOf = async (version: string): Promise<string> => {
    const [row] = await db.sql<{ id: string }[]>`
      select id from version where project_id = ${projectId} and version = ${version}`;
    return row!.id;
  };
  return {
    ...world,
    remote,
    repositoryId,
    staging,
    prod,
    nameOf,
    idOf,
    /** Pushes new code, and whatever else; @returns the version's name, once the delivery is worked off */
    async push(text: string, more: Record<string, string | null> = {}, own: string[] = triggers): Promise<string> {
      const commit = await remote.push({ ...files(own), ...code(text), ...more });
      const delivery = await world.deliver(repositoryId, commit);
      if (delivery.status !== "processed") throw new Error(delivery.reason.text);
      return nameOf(commit);
    },
    /** What the leader does whenever it looks. */
    look: () => runTriggers(deps),
    /** Newest last; without those that were only tried. */
    async runs(trigger?: string): Promise<SeenRun[]> {
      return await db.sql<SeenRun[]>`
        select r.id, r.trigger, r.event, r.outcome, r.reason ->> 'text' as text, v.version, r.deployment_id
        from trigger_run r left join version v on v.id = r.version_id
        where r.project_id = ${projectId} and (${trigger ?? null}::text is null or r.trigger = ${trigger ?? null}::text)
        order by r.id`;
    },
    async triggerId(name: string): Promise<string> {
      const [row] = await db.sql<{ id: string }[]>`
        select id from trigger where project_id = ${projectId} and name = ${name}`;
      return row!.id;
    },
    /** Starts what waits for a person there, and plays everything that runs to its end. */
    async carryOut(environment: string): Promise<void> {
      const waiting = await db.sql<{ id: string }[]>`
        select d.id from deployment d join environment e on e.id = d.environment_id
        where d.project_id = ${projectId} and e.name = ${environment} and d.status = 'pending' order by d.id`;
      for (const { id } of waiting) await startDeployment(deps, id, systemActor("ada", projectId));
      await playAll(db, [agentId]);
    },
    play: (end?: Parameters<typeof playAll>[2]) => playAll(db, [agentId], end),
    /** Everything that is remembered happened so much earlier. */
    async pass(seconds: number): Promise<void> {
      const by = db.sql`make_interval(secs => ${seconds})`;
      await db.sql`update deployment set completed_at = completed_at - ${by} where project_id = ${projectId}`;
      await db.sql`update app_state set health_since = health_since - ${by} where project_id = ${projectId}`;
      await db.sql`update trigger set since = since - ${by}, next_due_at = next_due_at - ${by}
        where project_id = ${projectId}`;
      await db
        .sql`update trigger_run set due_at = due_at - ${by} where project_id = ${projectId} and outcome = 'waiting'`;
    },
    /** Makes the next tick of a cron trigger due, as long ago as said. */
    async due(name: string, ago = "0 seconds"): Promise<void> {
      await db.sql`update trigger set next_due_at = boreas_now() - ${ago}::text::interval
        where project_id = ${projectId} and name = ${name}`;
    },
  };
}
export type TriggerWorld = Awaited<ReturnType<typeof createTriggerWorld>>;
