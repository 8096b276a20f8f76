/** S22, S23, S24 and S27: what tokens, agents and their tickets open, and what is written down when they try for more. */
import { CompactEncrypt, importJWK, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { enroll } from "../../agents/identity.ts";
import type { Identity } from "../../agents/identity.ts";
import { hashJoinToken } from "../../db/enrollment/join_token.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { createMemoryLinkPair } from "../../agents/memory_link.ts";
import { CLOSE, PROTOCOL, ToAgent } from "../../protocol/agent_messages.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { seedWork } from "../helpers/seed_work.ts";
import { startScheduler, until } from "../helpers/start_scheduler.ts";
import type { StartedScheduler } from "../helpers/start_scheduler.ts";
import { createTestApi } from "../helpers/test_api.ts";
import { TEST_FACTS } from "../helpers/test_agent.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";

let db: TestDatabase;
let api: Awaited<ReturnType<typeof createTestApi>>;
beforeAll(async () => {
  db = await createTestDatabase({ max: 20 });
  api = await createTestApi(db);
});

const newToken = async (more: Record<string, unknown> = {}) =>
  (await api.request("POST", "/enrollment-tokens", more)).body as { id: string; token: string };
const join = (token: string, name: string, more: Record<string, unknown> = {}) =>
  enroll({
    disk: createMemoryDisk(),
    token,
    name,
    facts: TEST_FACTS,
    post: (path, body) => api.request("POST", path, { ...body as object, ...more }, null),
  });
const auditsOf = (target: string) =>
  db.sql<{ action: string; detail: Record<string, unknown> }[]>`
    select action, detail from audit where target = ${target} order by id`;

describe("S22", () => {
  it("a join token is good for its uses, until its end, and for its environments only", async () => {
    const environment = await seedWork(db).environment("staging-22");
    const once = await newToken({ environments: ["staging-22"] });
    const { agentId } = await join(once.token, "first-22");
    await expect(join(once.token, "second-22")).rejects.toThrow(/unknown, expired or used up/);
    const late = await newToken();
    await db.sql`update enrollment_token set expires_at = boreas_now() where id = ${late.id}`;
    await expect(join(late.token, "late-22")).rejects.toThrow(/unknown, expired or used up/);
    const pools = await db.sql<{ environmentId: string }[]>`
      select environment_id from agent_environment where agent_id = ${agentId}`;
    expect(pools.map((p) => p.environmentId)).toEqual([environment]);
    const asked = await newToken();
    const greedy = await join(asked.token, "greedy-22", { environments: ["staging-22"], labels: { role: "all" } });
    const [got] = await db
      .sql`select labels, (select count(*)::int from agent_environment where agent_id = a.id) as bound
      from agent a where id = ${greedy.agentId}`;
    expect(got).toEqual({ labels: {}, bound: 0 });
  });

  it("of twenty who use it at once one becomes an agent", async () => {
    const { token } = await newToken();
    const ends = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => join(token, `racer-22-${n}`)));
    expect(ends.filter((end) => end.status === "fulfilled").length).toBe(1);
    const [row] = await db.sql`select count(*)::int as n from agent where name like 'racer-22-%'`;
    expect(row!.n).toBe(1);
  });

  it("its text is nowhere in the database", async () => {
    const { token } = await newToken();
    await join(token, "hidden-22");
    const secret = token.slice(4);
    const tables = await db.sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`;
    expect(tables.length).toBeGreaterThan(20);
    for (const { name } of tables) {
      const [hits] = await db.sql`select count(*)::int as n from ${db.sql(name)} t where t::text like ${`%${secret}%`}`;
      expect([name, hits!.n]).toEqual([name, 0]);
    }
    const [stored] = await db.sql`select count(*)::int as n from enrollment_token where hash = ${await hashJoinToken(
      token,
    )}`;
    expect(stored!.n).toBe(1); // it was looked for where it could have been
  });
});

describe("S27", () => {
  it.each<[string, (there: Identity & { publicKey: string }) => [string, Record<string, unknown>]]>([
    ["the name of an agent that is there", () => ["there-27", {}]],
    ["the id of an agent that is there", (there) => ["asks-27", { agentId: there.agentId }]],
    ["the key of an agent that is there", (there) => ["copies-27", { publicKey: there.publicKey }]],
  ])("a good token that asks for %s is refused, which is written down and takes no use", async (_, ask) => {
    const known = await db.sql`select id from agent where name = 'there-27'`;
    if (known.length === 0) await join((await newToken()).token, "there-27");
    const [row] = await db.sql<{ id: string; publicKey: string }[]>`
      select id, public_key from agent where name = 'there-27'`;
    const before = await db.sql`select * from agent order by id`;
    const { id, token } = await newToken();
    const [name, more] = ask({ agentId: row!.id, publicKey: row!.publicKey } as Identity & { publicKey: string });
    await expect(join(token, name, more)).rejects.toThrow(/The master refused to enrol this machine/);
    expect(await db.sql`select * from agent order by id`).toEqual(before);
    expect((await auditsOf(`enrollment-token:${id}`)).map((a) => a.action)).toContain("agent.enroll_refused");
    const [left] = await db.sql`select uses_left from enrollment_token where id = ${id}`;
    expect(left!.usesLeft).toBe(1);
  });
});

describe("an agent and the tasks of others", () => {
  let scheduler: StartedScheduler;
  let world: Awaited<ReturnType<typeof seedWorld>>;
  beforeAll(async () => {
    scheduler = await startScheduler(db);
    return () => scheduler.stop();
  });

  /** Connects and is welcomed, over a link in memory. */
  async function attach(agentId: string) {
    const [mine, theirs] = createMemoryLinkPair();
    const heard: ToAgent[] = [];
    const closed = Promise.withResolvers<number>();
    mine.onClose((code) => closed.resolve(code));
    mine.onText((text) => {
      for (const message of [JSON.parse(text)].flat().map((one) => ToAgent.parse(one))) {
        heard.push(message);
        if (message.type !== "agent.challenge") continue;
        mine.send(JSON.stringify({
          type: "agent.hello",
          protocol: PROTOCOL,
          agentId,
          kind: "mock",
          slots: 1,
          facts: TEST_FACTS,
          resumes: [],
          signature: "",
        }));
      }
    });
    scheduler.scheduler.gateway.accept(theirs, agentId);
    const hear = <T extends ToAgent["type"]>(type: T, nth = 1) =>
      until(
        scheduler.hints,
        () =>
          Promise.resolve(
            heard.filter((m): m is Extract<ToAgent, { type: T }> => m.type === type)[nth - 1] ?? false as const,
          ),
        type,
      );
    await hear("agent.welcome");
    return { say: (message: object) => mine.send(JSON.stringify(message)), hear, closed: closed.promise };
  }
  const read = async (taskId: string) => {
    const [task] = await db.sql`select * from task where id = ${taskId}`;
    const chunks = await db.sql`select count(*)::int as n from log_chunk where task_id = ${taskId}`;
    return { task, chunks: chunks[0] };
  };

  /** The victim runs a task; the thief is connected beside it. */
  async function setUp() {
    const suffix = db.newId().slice(-6);
    const names = [`order-${suffix}`, `later-${suffix}`];
    world = await seedWorld(db, { applications: { [names[0]!]: {}, [names[1]!]: {} } });
    const victim = await world.agent(`victim-${suffix}`);
    const b = await attach(victim);
    const versionId = await world.version(`v-${suffix}`);
    const input = { versionId, environmentId: world.environmentId, mustInOrder: names };
    const deploymentId = await createDeployment(world.deps, input, world.actor);
    await startDeployment(world.deps, deploymentId, world.actor);
    scheduler.hints.announce("tasks");
    const { taskId, fence } = await b.hear("task.dispatch");
    b.say({ type: "task.accept", taskId, fence });
    await until(scheduler.hints, async () => {
      const [task] = await db.sql`select state from task where id = ${taskId}`;
      return task!.state === "running";
    }, "the victim's task runs");
    const thief = await world.agent(`thief-${suffix}`);
    await db.sql`update agent set cordoned = true where id = ${thief}`;
    return { taskId, fence, deploymentId, b, thief, a: await attach(thief) };
  }
  const outcome = { status: "success", message: "mine now", code: "", retryable: false, lastLines: [], details: {} };

  it("S23: agent A renews, logs to and ends B's task: nothing of it is believed, and each is written down", async () => {
    const { taskId, fence, a, thief, b } = await setUp();
    const before = await read(taskId);
    a.say({ type: "lease.renew", leases: [{ taskId, fence }], round: 1 });
    expect(await a.hear("lease.renewed")).toMatchObject({ taskIds: [], lost: [taskId] });
    a.say({ type: "log.chunk", taskId, fence, sequence: 0, offset: 0, encoding: "utf8", data: "forged\n" });
    await a.hear("log.ack");
    a.say({ type: "task.result", taskId, fence, outcome });
    expect(await a.hear("result.ack")).toMatchObject({ accepted: false });
    expect(await read(taskId)).toEqual(before);
    const audits = await until(scheduler.hints, async () => {
      const rows = await auditsOf(`agent:${thief}`);
      return rows.length === 3 && rows;
    }, "three audit rows");
    expect(audits.map((row) => [row.action, row.detail.what, row.detail.taskId])).toEqual(
      ["renew", "log", "result"].map((what) => ["agent.trespass", what, taskId]),
    );
    // There is no message by which an agent cancels: it is no word of this protocol.
    a.say({ type: "task.cancel", taskId, fence, graceSeconds: 0, reason: "mine" });
    expect(await a.closed).toBe(CLOSE.badMessage);
    expect(await read(taskId)).toEqual(before);
    b.say({ type: "task.result", taskId, fence, outcome });
    expect(await b.hear("result.ack")).toMatchObject({ accepted: true });
  });

  it("S23: the ticket of its own dispatch opens neither B's files nor any call of people, and each try is written down", async () => {
    const { taskId, thief } = await setUp();
    const own = await seedWork(db).task({
      deploymentId: (await db.sql`select deployment_id from task where id = ${taskId}`)[0]!.deploymentId,
      environmentId: world.environmentId,
      state: "running",
      agentId: thief,
    });
    await db.sql`update task set last_agent_id = agent_id where id = ${own}`;
    const ticket = await new SignJWT({ sha: ["a".repeat(64)], taskId: own }).setProtectedHeader({ alg: "HS256" })
      .setIssuer("boreas").setAudience("boreas.blob").setExpirationTime("1h").sign(api.deps.keys.blobTicket);
    const calls: [string, string][] = [
      ["GET", `/blobs/${"b".repeat(64)}`],
      ["GET", "/tasks"],
      ["GET", `/tasks/${taskId}`],
      ["GET", `/tasks/${taskId}/logs`],
      ["POST", `/tasks/${taskId}/cancel`],
      ["GET", "/secrets"],
      ["GET", "/users"],
      ["POST", "/enrollment-tokens"],
    ];
    for (const [method, path] of calls) {
      const { status } = await api.request(method, path, method === "POST" ? {} : undefined, ticket);
      expect([method, path, status]).toEqual([method, path, 403]);
    }
    expect((await auditsOf(`agent:${thief}`)).filter((row) => row.action === "agent.trespass").length).toBe(
      calls.length,
    );
  });

  it("S23: secrets that were sealed to B are closed to A", async () => {
    const [a, b] = [await join((await newToken()).token, "a-23"), await join((await newToken()).token, "b-23")];
    const [{ sealingKey }] = await db.sql<
      [{ sealingKey: string }]
    >`select sealing_key from agent where id = ${b.agentId}`;
    const key = await importJWK({ kty: "OKP", crv: "X25519", x: sealingKey }, "ECDH-ES");
    const lease = { taskId: "t", fence: 1 };
    const sealed = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify({ PASSWORD: "p" })))
      .setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM", ...lease }).encrypt(key);
    expect(await b.openSecrets(sealed, lease)).toEqual({ PASSWORD: "p" });
    await expect(a.openSecrets(sealed, lease)).rejects.toThrow();
  });

  it("S24: a result for a task that has ended, that is blocked or that was never handed out changes nothing", async () => {
    const { taskId, fence, b, deploymentId } = await setUp();
    const others = await db.sql<{ id: string; state: string }[]>`
      select id, state from task where deployment_id = ${deploymentId} and is_leaf and id <> ${taskId}`;
    expect(others.map((task) => task.state)).toEqual(["blocked"]);
    const attempts = [
      { taskId: others[0]!.id, fence: 0 },
      { taskId: others[0]!.id, fence: 1 },
      { taskId, fence: fence - 1 },
      { taskId, fence: fence + 1 },
      { taskId: crypto.randomUUID(), fence: 1 },
    ];
    for (const [n, attempt] of attempts.entries()) {
      const before = await read(attempt.taskId);
      b.say({ type: "task.result", ...attempt, outcome });
      expect(await b.hear("result.ack", n + 1)).toMatchObject({ ...attempt, accepted: false });
      expect(await read(attempt.taskId)).toEqual(before);
    }
    b.say({ type: "task.result", taskId, fence, outcome });
    expect(await b.hear("result.ack", attempts.length + 1)).toMatchObject({ accepted: true });
    const ended = await read(taskId);
    b.say({ type: "task.result", taskId, fence, outcome: { ...outcome, status: "failed" } });
    expect(await b.hear("result.ack", attempts.length + 2)).toMatchObject({ accepted: false });
    expect(await read(taskId)).toEqual(ended);
  });
});
