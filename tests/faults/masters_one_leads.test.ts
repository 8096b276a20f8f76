/** Of two masters one leads: timers run once, whoever is killed. Viewers see what happens at the other master, as it happens. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sql } from "../../db/client.ts";
import type { RunContext } from "../../operators/operator.ts";
import { eventually } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { startFleet } from "./support/agent_fleet.ts";
import type { Fleet } from "./support/agent_fleet.ts";
import { startBalancer } from "./support/balancer.ts";
import type { Balancer } from "./support/balancer.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { haveEnded, metricOf, prepareWork, signIn, startMasters } from "./support/masters.ts";
import { startOwnPostgres } from "./support/own_postgres.ts";

describe("two masters on one database", () => {
  let sql: Sql;
  let masters: Master[];
  let balancer: Balancer;
  const fleets: Fleet[] = [];

  beforeAll(async () => {
    const postgres = await startOwnPostgres();
    const started = await startMasters(postgres, 2);
    ({ sql, masters } = started);
    balancer = await startBalancer(started.ports);
  }, 180_000);
  afterAll(async () => {
    for (const fleet of fleets) await fleet.stop();
    await balancer?.close();
  });
  const start = async (options: Omit<Parameters<typeof startFleet>[0], "sql">) => {
    const fleet = await startFleet({ sql, ...options });
    fleets.push(fleet);
    await eventually(async () => fleet.connected() === options.count, "all agents connected");
    return fleet;
  };
  const terms = () => Promise.all(masters.map((master) => metricOf(master, "boreas_leader_term")));
  const leaderRow = async () => (await sql<{ term: number; holder: string }[]>`select term, holder from leader`)[0]!;

  it("shows the log of a task as it is written, whichever master holds the agent, and what happened to it", async () => {
    const [near, far] = masters as [Master, Master];
    const work = await prepareWork(sql, near, { environments: 1, applications: 1 });
    const lines = 20;
    // The task writes a line only when the viewer has seen the one before.
    let seen = 0;
    let look = () => {};
    const begun = Promise.withResolvers<string>();
    const act = async (context: RunContext) => {
      begun.resolve(context.taskId);
      for (let n = 1; n <= lines; n++) {
        await context.log(`line ${n}\n`);
        while (seen < n) await new Promise<void>((wake) => look = wake);
      }
    };
    await start({ url: far.url, environmentIds: work.environmentIds, count: 1, act });
    const events = await readEvents(near, "/api/v1/live?topics=deployments");
    const happened: string[] = [];
    const hearing = (async () => {
      for await (const { data } of events.frames) happened.push(data);
    })();
    await work.deploy(near);
    const taskId = await begun.promise;
    const log = await readEvents(near, `/api/v1/tasks/${taskId}/logs`);
    let text = "";
    for await (const { event, data } of log.frames) {
      if (event === "end") break;
      text += (JSON.parse(data) as { data?: string }).data ?? "";
      seen = text.split("\n").length - 1;
      look();
    }
    log.close();
    expect(text).toBe(Array.from({ length: lines }, (_, n) => `line ${n + 1}\n`).join(""));
    await eventually(
      async () => happened.some((data) => data.includes("completed")),
      "the deployment's end was heard of",
    );
    events.close();
    await hearing;
  });

  it("one leads; killed, it is followed within its time by the other, and a wait that was under way ends once", async () => {
    const work = await prepareWork(sql, masters[0]!, {
      environments: 1,
      applications: 1,
      type: "pm",
      config: {
        runtime: { script: { deploy: "ops/deploy.sh" } },
        strategy: { type: "rolling", batch: 1, wait: "2s" },
      },
    });
    await start({ url: balancer.url, environmentIds: work.environmentIds, count: 3 });
    await eventually(async () => (await terms()).filter((term) => term > 0).length === 1, "exactly one master leads");
    const before = await leaderRow();
    const leading = (await terms()).findIndex((term) => term > 0);
    expect((await terms())[leading]).toBe(before.term);

    const [id] = await work.deploy(masters[1 - leading]);
    const waits = () =>
      sql`select 1 from task where deployment_id = ${id!} and type = 'pause' and state = 'pending' and open`;
    await eventually(async () => (await waits()).length > 0, "a wait is under way");
    await masters[leading]!.kill("SIGKILL");
    await eventually(() => haveEnded(sql, [id!]), "the deployment went through all its waits");
    const after = await leaderRow();
    expect(after.term).toBeGreaterThan(before.term);
    expect(after.holder).not.toBe(before.holder);
    // A master that gets no turn for longer than its term leads under the next one.
    await eventually(
      async () => await metricOf(masters[1 - leading]!, "boreas_leader_term") === (await leaderRow()).term,
      "the other one leads",
    );

    const history = await readHistory(sql, [id!]);
    expectSound(history);
    const pauses = await sql<{ id: string }[]>`select id from task where deployment_id = ${id!} and type = 'pause'`;
    expect(pauses).toHaveLength(2);
    for (const pause of pauses) {
      expect(history.events!.filter((e) => e.taskId === pause.id && e.kind === "task.success")).toHaveLength(1);
    }
    expect(history.deployments![0]!.status).toBe("completed");
    await masters[leading]!.restart();
    await eventually(
      async () => {
        const [now, { term }] = [await terms(), await leaderRow()];
        return now[leading] === 0 && now[1 - leading] === term;
      },
      "the one that came back follows",
    );
  });
});

/** An event stream, frame by frame. */
async function readEvents(master: Master, path: string) {
  const stop = new AbortController();
  const headers = { ...await signIn(master), accept: "text/event-stream" };
  const answer = await fetch(`${master.url}${path}`, { headers, signal: stop.signal });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  async function* frames() {
    let rest = "";
    try {
      for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
        const whole = (rest + part).split("\n\n");
        rest = whole.pop()!;
        for (const frame of whole) {
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(frame)?.[1];
          const data = field("data");
          if (data !== undefined) yield { event: field("event"), data };
        }
      }
    } catch (error: unknown) {
      if (!stop.signal.aborted) throw error;
    }
  }
  return { frames: frames(), close: () => stop.abort() };
}
