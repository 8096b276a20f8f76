/** What people decide about agents, as the connection feels it: over the real database, with the real runtime. */
import { beforeAll, expect, it } from "vitest";
import { createAgent } from "../agents/agent.ts";
import { enroll } from "../agents/identity.ts";
import { createMemoryDisk } from "../agents/memory_disk.ts";
import { createMemoryLinkPair } from "../agents/memory_link.ts";
import { approveAgent } from "../db/agents/approve_agent.ts";
import { cordonAgent } from "../db/agents/cordon_agent.ts";
import { drainAgent } from "../db/agents/drain_agent.ts";
import { enrollAgent } from "../db/agents/enroll_agent.ts";
import { createDeployment } from "../db/deployments/create_deployment.ts";
import { startDeployment } from "../db/deployments/start_deployment.ts";
import { readStandings } from "../db/agents/read_standings.ts";
import { createEnrollmentToken } from "../db/enrollment/create_enrollment_token.ts";
import { createMockOperator } from "../operators/mock/mock_operator.ts";
import { boundMs } from "../tests/faults/support/races.ts";
import { seedWorld } from "../tests/helpers/seed_release.ts";
import { quiet, startScheduler, TEST_MASTER, until } from "../tests/helpers/start_scheduler.ts";
import { TEST_FACTS } from "../tests/helpers/test_agent.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

/** An agent that enrolled as a machine does, of a world of its own. */
async function setUp(options: { approveFirst?: boolean; agentKeyDays?: number } = {}) {
  const suffix = db.newId().slice(-6);
  const names = [`one-${suffix}`, `two-${suffix}`];
  const world = await seedWorld(db, { applications: { [names[0]!]: {}, [names[1]!]: {} } });
  const started = await startScheduler(db, options.agentKeyDays ? { agentKeyDays: options.agentKeyDays } : {});
  const { token } = await createEnrollmentToken(world.deps, {
    uses: 1,
    expiresIn: 600,
    labels: {},
    environments: [world.environmentId],
    kind: "agent",
    approveFirst: options.approveFirst ?? false,
  }, world.actor);
  const disk = createMemoryDisk();
  const identity = await enroll({
    disk,
    token,
    name: `agent-${suffix}`,
    facts: TEST_FACTS,
    post: async (_path, body) => ({
      status: 201,
      body: { ...await enrollAgent(world.deps, body as never, null), masterId: TEST_MASTER },
    }),
  });
  let revoked = "";
  const agent = createAgent({
    identity,
    kind: "mock",
    versions: {},
    slots: 2,
    operators: [createMockOperator({ clock: started.deps.clock })],
    dialer: {
      dial() {
        const [mine, theirs] = createMemoryLinkPair();
        started.scheduler.gateway.accept(theirs);
        return Promise.resolve(mine);
      },
    },
    clock: started.deps.clock,
    disk,
    logger: quiet,
    chance: () => 0.5,
    facts: TEST_FACTS,
    fetchBlob: () => Promise.reject(new Error("there are no blobs here")),
    onRevoked: (why) => void (revoked = why),
  });
  const row = async () => (await db.sql`select * from agent where id = ${identity.agentId}`)[0]!;
  const deploy = async () => {
    const versionId = await world.version(`v-${db.newId().slice(-6)}`);
    const input = { versionId, environmentId: world.environmentId, mustInOrder: names };
    const id = await createDeployment(world.deps, input, world.actor);
    await startDeployment(world.deps, id, world.actor);
    started.hints.announce("tasks");
    return id;
  };
  const status = async (id: string) => (await db.sql`select status from deployment where id = ${id}`)[0]!.status;
  const deps = { db, hints: started.hints };
  await agent.start();
  await until(started.hints, async () => (await row()).status === "connected", "it is connected");
  return {
    ...{ world, started, agent, identity, row, deploy, status, deps },
    revoked: () => revoked,
    async stop() {
      await agent.stop({ drain: true, cancel: true });
      await started.stop();
    },
  };
}
it("a machine whose token asks for a person's yes is connected and given nothing, until somebody approves it", async () => {
  const { started, row, deploy, status, deps, world, identity, stop } = await setUp({ approveFirst: true });
  const id = await deploy();
  await cordonAgent(deps, identity.agentId, false, world.actor); // no other yes is one
  const [task] = await db.sql`select state, attempt from task where deployment_id = ${id} and is_leaf and open`;
  expect(task).toEqual({ state: "pending", attempt: 0 });
  expect((await row()).awaitsApproval).toBe(true);
  await approveAgent(deps, identity.agentId, world.actor);
  await until(started.hints, async () => await status(id) === "completed", "the deployment's end");
  await stop();
});

it("a machine that drains is given nothing new, and takes it again when that is called off", async () => {
  const { started, deploy, status, deps, world, identity, row, stop } = await setUp();
  await drainAgent(deps, identity.agentId, world.actor);
  await until(started.hints, async () => (await row()).drainedAt !== null, "it is empty");
  const id = await deploy();
  const leaves = await db.sql`select attempt from task where deployment_id = ${id} and is_leaf`;
  expect(leaves.map((task) => task.attempt)).toEqual([0, 0]);
  await cordonAgent(deps, identity.agentId, false, world.actor);
  await until(started.hints, async () => await status(id) === "completed", "the deployment's end");
  expect(await row()).toMatchObject({ cordoned: false, drainStartedAt: null, drainedAt: null });
  await stop();
});

it("a revoked machine is out within five seconds though every hint of it was lost", async () => {
  const { started, identity, revoked, stop } = await setUp();
  await db.sql`update agent set status = 'revoked', session_id = null where id = ${identity.agentId}`;
  const began = performance.now();
  await until(started.hints, () => Promise.resolve(revoked() !== ""), "it was told");
  expect(performance.now() - began).toBeLessThan(boundMs(5));
  await stop();
});

it("keys that are too old are renewed by themselves, and younger ones are not", async () => {
  const { started, identity, row, stop } = await setUp({ agentKeyDays: 30 });
  const { publicKey } = await row();
  await db.sql`update agent set created_at = boreas_now() - interval '29 days' where id = ${identity.agentId}`;
  expect(await readStandings(db, [identity.agentId], 30)).toMatchObject([{ wantsKeys: false }]);
  await db.sql`update agent set created_at = boreas_now() - interval '31 days' where id = ${identity.agentId}`;
  await until(started.hints, async () => (await row()).publicKey !== publicKey, "it has new keys");
  const renewed = await row();
  expect([renewed.nextPublicKey, renewed.rotateWanted]).toEqual([null, false]);
  expect(renewed.keySince).not.toBeNull();
  expect(await readStandings(db, [identity.agentId], 30)).toMatchObject([{ wantsKeys: false }]);
  await stop();
});
