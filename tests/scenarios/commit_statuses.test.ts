/** From a push and its deployment to the lines beside the commit, at a real receiver that plays the provider's API. */
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { DEFAULT_PROJECT, systemActor } from "../../db/database.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import type { Clock } from "../../domain/ports.ts";
import { createOutgoingCheck } from "../../domain/outgoing_check.ts";
import { reason } from "../../domain/reason.ts";
import { planStages } from "../../domain/strategy.ts";
import { createClock } from "../../host/clock.ts";
import type { CommitStatus } from "../../protocol/http_api.ts";
import { createStatusLoop } from "../../scheduler/status_loop.ts";
import type { StatusDeps } from "../../scheduler/status_loop.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import { createGitopsWorld } from "../helpers/gitops_world.ts";
import { startReceiver } from "../helpers/http_receiver.ts";
import { playForge } from "../helpers/play_forge.ts";
import type { PlayedForge } from "../helpers/play_forge.ts";
import { failure, playAll, success } from "../helpers/play_tasks.ts";
import { seedWork } from "../helpers/seed_work.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";

const db = await createTestDatabase();
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(db, { planners: { mock: planStages } });
});
const PATIENCE = { timeout: 60_000 };

async function begin(name: string, more: { statusToken?: string | null; loops?: number } & Partial<StatusDeps> = {}) {
  const { statusToken = "CANARY", loops = 1, ...deps } = more;
  const world = await createGitopsWorld(db, { hints: api.deps.hints, vault: api.deps.vault, fetch, sweepSeconds: 1 }, {
    loop: true,
    projectId: DEFAULT_PROJECT,
  });
  const environmentId = await world.environment(name);
  const agentId = await seedWork(db, DEFAULT_PROJECT).agent({ name: `player-${name}` });
  await db.sql`insert into agent_environment (agent_id, environment_id) values (${agentId}, ${environmentId})`;
  const remote = await createGitRemote();
  const forge = playForge("github", remote.url.replace(/^\/|\.git$/g, ""), "CANARY");
  const repositoryId = await world.repository(remote, { provider: "github", apiUrl: forge.url, statusToken });
  for (let i = 0; i < loops; i++) {
    const loop = createStatusLoop({
      ...world.deps,
      ...{ publicUrl: "https://boreas.example.com", nextTryIn: () => 0.2, ...deps },
    });
    loop.start();
    onTestFinished(() => loop.stop());
  }
  const newest = async () =>
    (await db.sql<{ id: string }[]>`
      select id from deployment where environment_id = ${environmentId} order by id desc limit 1`)[0]!.id;
  const log = async (): Promise<CommitStatus[]> =>
    (await api.request("GET", `/repositories/${repositoryId}/statuses`, undefined, "viewer")).body.items;
  return {
    world,
    forge,
    repositoryId,
    newest,
    log,
    /** Of one context: what the log says became of it. */
    told: async (context: string) => (await log()).find((status) => status.context === context),
    async push(level: string) {
      const file =
        `apiVersion: boreas/v1\nkind: Application\nname: app-of-${name}\nconfig: { env: { LEVEL: "${level}" } }\nenvironments: { ${name}: {} }\n`;
      const commit = await remote.push({ "boreas.yaml": file });
      await world.deliver(repositoryId, commit);
      return commit;
    },
    async deploy(end: Parameters<typeof playAll>[2] = () => success) {
      await startDeployment(world.deps, await newest(), systemActor("ada"));
      api.deps.hints.announce("events");
      await playAll(db, [agentId], end);
      api.deps.hints.announce("events");
    },
  };
}
/** What stands beside the commit now, by its name. */
const shown = (forge: PlayedForge, commit: string) =>
  Object.fromEntries(
    forge.statuses.filter((one) => one.commit === commit).map(({ context, state, description }) => [
      context,
      `${state}: ${description}`,
    ]),
  );

describe("beside a commit", () => {
  it("stands whether it can be deployed, and what became of it in each environment, with a link", async () => {
    const { forge, push, deploy, newest, log } = await begin("told");
    const first = await push("info");
    const version = `main-${first.slice(0, 12)}`;
    await expect.poll(() => shown(forge, first), PATIENCE).toEqual({
      boreas: `success: Recorded as ${version}.`,
      "boreas/told": `pending: ${version} waits to be deployed.`,
    });
    await deploy();
    await expect.poll(() => shown(forge, first)["boreas/told"], PATIENCE).toBe(`success: ${version} is deployed.`);
    const last = forge.statuses.findLast(({ context }) => context === "boreas/told");
    expect(last!.url).toBe(`https://boreas.example.com/deployments/${await newest()}`);

    const second = await push("debug");
    await deploy(({ payload }) => payload.isRollback ? success : failure("telltale of a machine"));
    await expect.poll(() => shown(forge, second)["boreas/told"], PATIENCE).toMatch(
      /^failure: main-\w+ was rolled back/,
    );
    expect(shown(forge, first)["boreas/told"]).toContain("is deployed");
    expect(JSON.stringify(forge.statuses)).not.toContain("telltale");
    await expect.poll(async () => (await log()).map(({ status }) => status), PATIENCE).toEqual(Array(4).fill("sent"));
    expect(JSON.stringify(await log())).not.toContain("CANARY");
    expect((await log())[0]).toMatchObject({ reason: { code: "notification.sent" }, sentAt: expect.any(String) });
  });

  it("stands a mistake by its place alone, and nothing where no token was given", async () => {
    const { forge, world, repositoryId, push } = await begin("silent", { statusToken: null });
    const loud = await begin("mistaken");
    await push("info");
    const remote = await loud.push('"\n  bad');
    await expect.poll(() => shown(loud.forge, remote), PATIENCE).toEqual({
      boreas: expect.stringMatching(/^failure: Cannot be deployed: a mistake at boreas\.yaml:\d+/),
    });
    expect((await world.deliveries(repositoryId)).map(({ status }) => status)).toEqual(["processed"]);
    expect(forge.calls).toEqual([]);
  });

  it("stands the last word when the provider was away, told once for all that happened meanwhile", async () => {
    const { forge, push, deploy, told } = await begin("away", { nextTryIn: () => 0.5 });
    forge.trouble.push(...Array.from({ length: 1000 }, () => ({ status: 503 })));
    const commit = await push("info");
    await expect.poll(async () => (await told("boreas/away"))?.reason.text, PATIENCE).toContain("answers 503");
    await deploy();
    await expect.poll(async () => (await told("boreas/away"))?.state, PATIENCE).toBe("success");
    forge.trouble.length = 0;
    await expect.poll(async () => (await told("boreas/away"))?.status, PATIENCE).toBe("sent");
    const said = forge.statuses.filter((one) => one.context === "boreas/away");
    expect(said.map(({ commit, state }) => [commit, state])).toEqual([[commit, "success"]]);
  });

  it("stands nothing when the token is refused; once mended and sent again it does, and who asked is in the audit", async () => {
    const { forge, push, told, repositoryId } = await begin("refused");
    forge.trouble.push(...Array.from({ length: 2 }, () => ({ status: 401, body: { message: "Bad CANARY" } })));
    const commit = await push("info");
    for (const context of ["boreas", "boreas/refused"]) {
      await expect.poll(async () => (await told(context))?.status, PATIENCE).toBe("failed");
      expect((await told(context))!.reason.text).toMatch(/answers 401 .*statusToken/);
      expect((await told(context))!.reason.text).not.toContain("CANARY");
    }
    expect(forge.statuses).toEqual([]);
    const { id } = (await told("boreas/refused"))!;
    const path = `/repositories/${repositoryId}/statuses/${id}/resend`;
    expect((await api.request("POST", path, undefined, "viewer")).status).toBe(403);
    expect((await api.request("POST", path)).status).toBe(202);
    await expect.poll(() => Object.keys(shown(forge, commit)), PATIENCE).toEqual(["boreas/refused"]);
    const audit = (await api.request("GET", "/audit")).body.items.map((row: { action: string }) => row.action);
    expect(audit).toContain("status.resend");
  });

  it("is told each word once by two masters that believe they lead, and again after one died over it", async () => {
    const { forge, push, log, repositoryId, world } = await begin("twice", { loops: 2 });
    const commit = await push("info");
    await expect.poll(async () => (await log()).map(({ status }) => status), PATIENCE).toEqual(["sent", "sent"]);
    expect(forge.statuses.map(({ context }) => context).sort()).toEqual(["boreas", "boreas/twice"]);
    // As whoever took it and died leaves it, when its lease has ended.
    await db.sql`update commit_status set status = 'sending', claim = claim + 1, run_after = boreas_now()
      where repository_id = ${repositoryId} and context = 'boreas'`;
    world.deps.hints.announce("events");
    await expect.poll(() => forge.statuses.map(({ context }) => context).sort(), PATIENCE).toEqual([
      ...["boreas", "boreas", "boreas/twice"],
    ]);
    await expect.poll(async () => (await log()).map(({ status }) => status), PATIENCE).toEqual(["sent", "sent"]);
    expect(Object.keys(shown(forge, commit)).sort()).toEqual(["boreas", "boreas/twice"]);
  });

  it("is told by others while a provider takes connections and never answers", async () => {
    const tarpit = await startReceiver();
    const opened = Promise.withResolvers<void>();
    tarpit.answer = () => opened.promise.then(() => ({ status: 201, body: "{}" }));
    const stuck = await begin("stuck", { loops: 0 });
    await db.sql`update repository set api_url = ${tarpit.url} where id = ${stuck.repositoryId}`;
    await db
      .sql`insert into commit_status (id, project_id, repository_id, commit, context, state, description, path, status, reason)
      select gen_random_uuid(), project_id, id, ${
      "a".repeat(40)
    }, 'boreas/' || n, 'success', 'Deployed.', '/', 'waiting',
        ${
      db.sql.json(reason("notification.waiting") as never)
    } from repository, generate_series(1, 20) n where id = ${stuck.repositoryId}`;
    // No call is given up meanwhile, however slow the machine is.
    const real = createClock();
    const clock: Clock = { ...real, after: (ms, call) => real.after(ms < 10_000 ? ms : ms * 60, call) };
    try {
      const { push, told } = await begin("quick", { clock });
      await push("info");
      await expect.poll(async () => (await told("boreas"))?.status, PATIENCE).toBe("sent");
      await expect.poll(() => tarpit.received.length, PATIENCE).toBe(8);
    } finally {
      tarpit.answer = () => ({ status: 201, body: "{}" });
      opened.resolve();
    }
    await expect.poll(async () => (await stuck.log()).every((one) => one.status === "sent"), PATIENCE).toBe(true);
  });

  it("S33: nothing is told to an address inside, and the log says which and how to allow it", async () => {
    const checkOutgoing = createOutgoingCheck({ resolve: () => Promise.resolve(["127.0.0.1"]), allow: [] });
    const { forge, push, told } = await begin("inside", { checkOutgoing });
    await push("info");
    await expect.poll(async () => (await told("boreas"))?.reason.text, PATIENCE).toContain("BOREAS_ALLOW_NETWORKS");
    expect(forge.calls).toEqual([]);
  });
});
