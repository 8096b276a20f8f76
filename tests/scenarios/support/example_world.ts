/**
 * One folder of examples/ as it would be used: its files are pushed to a real Git remote, its environments are mock, and
 * people act over REST. API, deliveries, triggers, gates, scheduler and a mock agent run in this process on a database of
 * their own.
 */
import { join, relative } from "node:path";
import { parse } from "yaml";
import { expect } from "vitest";
import { DEFAULT_PROJECT } from "../../../db/database.ts";
import { reason } from "../../../domain/reason.ts";
import { createGit } from "../../../host/git.ts";
import { stagePlanners } from "../../../operators/registry.ts";
import { createGitops } from "../../../scheduler/gitops/create_gitops.ts";
import { soleLeader } from "../../../scheduler/leadership.ts";
import type { Deployment, Task } from "../../../protocol/http_api.ts";
import { createGitRemote, type GitRemoteFixture } from "../../helpers/git_remote.ts";
import { startScheduler } from "../../helpers/start_scheduler.ts";
import { createTestApi, type TestApi } from "../../helpers/test_api.ts";
import type { TestDatabase } from "../../helpers/test_database.ts";

/** `expected.yaml`: what happens to the folder, in order, and what comes of it. */
export interface Story {
  environments: Record<string, { config?: Record<string, unknown>; policy?: Record<string, unknown> }>;
  story: Step[];
}
export type Step =
  /** Commits the folder and pushes it: with more files, and with words of its boreas.yaml replaced. */
  | { push: string; with?: Record<string, string>; edit?: Record<string, string> }
  | { tag: string }
  /** A person acts on the environment's present deployment, as soon as that is possible. */
  | { start: string; as?: Role }
  | { approve: string; as?: Role }
  | { decide: string; choice: string; as?: Role }
  | { expect: Expected };
/** The part of a master that a player needs. */
export type Asked = Pick<TestApi, "request">;
type Role = "admin" | "deployer" | "viewer";
interface Expected {
  /** Its newest deployment since the last push or tag. */
  environment: string;
  status: string;
  /** The code of its reason. */
  reason: string;
  /** What was done, as `application/part`: each row after all of the row before; within a row in any order. */
  order: string[][];
  /** What was not come to. */
  skipped?: string[];
}

export interface ExampleWorld {
  play(): Promise<void>;
  stop(): Promise<void>;
}

export async function openExample(db: TestDatabase, folder: string): Promise<ExampleWorld> {
  const story = parse(await Deno.readTextFile(join(folder, "expected.yaml"))) as Story;
  const api = await createTestApi(db, { planners: stagePlanners });
  const { hints, vault, checkOutgoing } = api.deps;
  const run = await startScheduler(db, { hints, vault, planners: stagePlanners, sweepSeconds: 1 });
  const cacheDir = await Deno.makeTempDir({ prefix: "boreas-example-" });
  const gitops = createGitops({
    publicUrl: "http://127.0.0.1",
    ...run.deps,
    git: createGit({ gitPath: "git", cacheDir, allowFile: true }),
    fetch: () => Promise.reject(new TypeError("examples call nobody")),
    checkOutgoing,
    leadership: soleLeader,
  });
  gitops.start();
  const environments = await makeEnvironments(api, story);
  await run.agent(await seedAgent(db, Object.values(environments)));
  const remote = await createGitRemote();
  const repository = await ask(api, "POST", "/repositories", {
    ...{ url: remote.url, provider: "generic", webhookSecret: "a secret of examples", pollSeconds: 0 },
  });
  const player = createPlayer(api, remote, { folder, environments, repositoryId: repository.id });
  return {
    async play() {
      for (const step of story.story) await player(step);
    },
    async stop() {
      await gitops.stop();
      await run.stop();
      await Deno.remove(cacheDir, { recursive: true });
    },
  };
}

// deno-lint-ignore no-explicit-any -- a test reads whatever it expects
async function ask(api: Asked, method: string, path: string, body?: unknown, as?: Role): Promise<any> {
  const answer = await api.request(method, path, body, as);
  expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer.body;
}

async function makeEnvironments(api: TestApi, story: Story): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  for (const [name, { config = {}, policy = {} }] of Object.entries(story.environments)) {
    made[name] = (await ask(api, "POST", "/environments", { name, type: "mock", config, policy })).id;
  }
  return made;
}

async function seedAgent({ sql, newId }: TestDatabase, environmentIds: string[]): Promise<string> {
  const id = newId();
  await sql`insert into agent (id, project_id, name, kind, embedded, slots, status, reason, created_by)
    values (${id}, ${DEFAULT_PROJECT}, 'embedded', 'mock', true, 50, 'disconnected', ${
    sql.json(reason("agent.never_connected") as never)
  }, 'test')`;
  await sql`insert into agent_environment (agent_id, environment_id)
    select ${id}, e from unnest(${environmentIds}::uuid[]) e`;
  return id;
}

export function createPlayer(
  api: Asked,
  remote: GitRemoteFixture,
  { folder, environments, repositoryId }: {
    folder: string;
    environments: Record<string, string>;
    repositoryId: string;
  },
): (step: Step) => Promise<void> {
  let before = new Set<string>();
  const list = async (environment: string): Promise<Deployment[]> =>
    (await ask(api, "GET", `/deployments?environmentId=${environments[environment]}&limit=50`)).items;
  const present = async (environment: string) => (await list(environment)).find(({ id }) => !before.has(id));
  const tasksOf = async (id: string): Promise<Task[]> =>
    (await ask(api, "GET", `/tasks?deploymentId=${id}&tree=all&limit=200`)).items;
  const moment = async () => {
    before = new Set((await ask(api, "GET", "/deployments?limit=200")).items.map(({ id }: Deployment) => id));
  };
  const whyNone = async (): Promise<string> =>
    (await ask(api, "GET", `/repositories/${repositoryId}/deliveries`)).items[0]?.reason.text;
  const sync = () => ask(api, "POST", `/repositories/${repositoryId}/sync`);
  /** Of a deployment that is there by then: what `find` finds in it, once it does. */
  const once = async <T>(environment: string, what: string, find: (d: Deployment) => Promise<T | undefined>) => {
    let found: T | undefined;
    await expect.poll(async () => {
      const deployment = await present(environment);
      found = deployment && await find(deployment);
      return found === undefined ? `no ${what}: ${deployment?.reason.text ?? await whyNone()}` : what;
    }).toBe(what);
    return found!;
  };

  return async (step) => {
    if ("push" in step) {
      await moment();
      const files = await readFolder(folder);
      for (const [from, to] of Object.entries(step.edit ?? {})) {
        expect(files["boreas.yaml"]).toContain(from);
        files["boreas.yaml"] = files["boreas.yaml"]!.replace(from, to);
      }
      await remote.push({ ...files, ...step.with }, { branch: step.push });
      return void await sync();
    }
    if ("tag" in step) {
      await moment();
      await remote.tag(step.tag);
      return void await sync();
    }
    if ("start" in step) {
      const id = await once(step.start, "deployment to start", async (d) => d.status === "pending" ? d.id : undefined);
      return void await ask(api, "POST", `/deployments/${id}/start`, {}, step.as);
    }
    if ("approve" in step) {
      const path = await once(step.approve, "approval that is waited for", async (d) => {
        if (d.status === "awaiting_approval") return `/deployments/${d.id}/approve`;
        const task = (await tasksOf(d.id)).find((t) => t.type === "approval" && t.step === "pending");
        return task && `/tasks/${task.id}/approve`;
      });
      return void await ask(api, "POST", path, { note: "Looks good." }, step.as);
    }
    if ("decide" in step) {
      const id = await once(step.decide, "failure to decide over", async (d) => {
        if (d.status !== "paused") return undefined;
        const tasks = await tasksOf(d.id);
        return tasks.find((t) => t.status === "failed" && !tasks.some((part) => part.parentId === t.id))?.id;
      });
      return void await ask(api, "POST", `/tasks/${id}/decide`, { choice: step.choice }, step.as);
    }
    const { environment, status, reason, order, skipped = [] } = step.expect;
    const ended = await once(environment, status, async (d) => d.status === status ? d : undefined);
    const tasks = await tasksOf(ended.id);
    const done = actualOrder(tasks);
    expect({ reason: ended.reason.code, ...done.lists }, JSON.stringify(done.lists, null, 1)).toEqual({
      reason,
      done: [...order.flat()].sort(),
      skipped: [...skipped].sort(),
    });
    for (const [index, row] of order.slice(1).entries()) {
      const last = Math.max(...order[index]!.map((label) => done.times.get(label)!.end));
      const first = Math.min(...row.map((label) => done.times.get(label)!.start));
      expect(first, `${row.join(", ")} begins after ${order[index]!.join(", ")}`).toBeGreaterThanOrEqual(last);
    }
  };
}

/** Every part that was done or failed, as `application/part`, and with its reason where it did not succeed. */
function actualOrder(tasks: readonly Task[]) {
  const parents = new Set(tasks.map((t) => t.parentId));
  const byId = new Map(tasks.map((t) => [t.id, t]));
  const times = new Map<string, { start: number; end: number }>();
  const skipped: string[] = [];
  const named = new Map<string, number>();
  const leaves = tasks.filter((t) => !parents.has(t.id)).toSorted((a, b) => a.id < b.id ? -1 : 1);
  for (const task of leaves) {
    const whole = task.parentId ? byId.get(task.parentId)! : undefined;
    const name = whole ? `${whole.name}/${task.name}` : task.name;
    const back = task.type === "rollback" || whole?.type === "rollback" ? " (back)" : "";
    if (task.status === "skipped") {
      skipped.push(name + back);
      continue;
    }
    const plain = name + back + (task.status === "success" ? "" : `: ${task.status}, ${task.reason.code}`);
    const count = (named.get(plain) ?? 0) + 1;
    named.set(plain, count);
    times.set(count === 1 ? plain : `${plain} #${count}`, {
      start: Date.parse(task.startedAt ?? task.completedAt ?? task.createdAt),
      end: Date.parse(task.completedAt ?? task.updatedAt),
    });
  }
  return { lists: { done: [...times.keys()].sort(), skipped: skipped.sort() }, times };
}

async function readFolder(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const walk = async (path: string) => {
    for await (const entry of Deno.readDir(path)) {
      const at = join(path, entry.name);
      if (entry.isDirectory) await walk(at);
      else files[relative(folder, at)] = await Deno.readTextFile(at);
    }
  };
  await walk(folder);
  return files;
}
