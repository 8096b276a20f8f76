import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTagged } from "../../host/process_table.ts";
import { freePorts } from "../../tests/helpers/free_ports.ts";
import { startAgentProcess } from "../../tests/helpers/pm_agent_process.ts";
import { clock, createPmFixture, operationOf, serverCommand, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture, TestContext } from "../../tests/helpers/pm_fixture.ts";
import { startLoad } from "../../tests/helpers/request_load.ts";
import { createTestProxy } from "../../tests/helpers/test_proxy.ts";
import type { TestProxy } from "../../tests/helpers/test_proxy.ts";
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";
import type { Operator } from "../operator.ts";
import type { AppRecord } from "./app_record.ts";
import { createMachineRouter } from "./route/machine_router.ts";

let pm: PmFixture;
let proxy: TestProxy;
let port: number;
beforeEach(async () => {
  proxy = await createTestProxy();
  pm = await createPmFixture();
  [port] = freePorts(1) as [number];
});
afterEach(async () => {
  await pm.close();
  await proxy.close();
});

/** Answers its version later than a switch takes, which is the load of these tests; ends at once when told to, as careless programs do. */
const SERVER = `
const version = Deno.env.get("BOREAS_VERSION");
Deno.serve({ port: Number(Deno.env.get("PORT")), hostname: "127.0.0.1", onListen() {} }, async (request) => {
  await request.text();
  if (new URL(request.url).pathname === "/exit") { console.log("asked to end"); Deno.exit(3); }
  await new Promise((resolve) => setTimeout(resolve, 200));
  return new Response(version);
});
`;
const operatorOf = (over = {}) => pm.createOperator({ router: createMachineRouter(proxy.createClient()), ...over });

async function specFor(over: Partial<RenderedSpec> = {}, ports: Record<string, number | "auto"> = { http: "auto" }) {
  return specOf({ mode: "binary", artifact: "bin", exec: serverCommand, ports }, {
    artifacts: { bin: await pm.freeze({ "server.ts": SERVER }) },
    health: [{ http: { port: "http", path: "/" }, every: "100ms" }],
    route: { mode: "proxy", listen: port, port: "http", host: null, drainSeconds: 30 },
    deadlineSeconds: 60,
    ...over,
  });
}
const v2 = { version: "v2", versionId: "v2" };
const v3 = { version: "v3", versionId: "v3" };
/** The parts of one deployment. */
function partsOf(spec: RenderedSpec, over: Partial<Operation> = v2) {
  const whole = operationOf(spec, over);
  return (action: Operation["action"], more: Partial<Operation> = {}): Operation => ({ ...whole, action, ...more });
}
const ask = async () => await (await fetch(`http://127.0.0.1:${port}/`)).text();
const record = async (): Promise<AppRecord> => JSON.parse(await Deno.readTextFile(`${pm.app()}/release.json`));
const processesOf = async ({ taskId }: TestContext) => (await findTagged([`BOREAS_TASK_ID=${taskId}`])).length;
async function succeed(operator: Operator, operation: Operation, over = {}) {
  const context = pm.context(over);
  const outcome = await operator.run(operation, context);
  expect(outcome).toMatchObject({ status: "success" });
  return { outcome, context };
}
async function seen(operator: Operator) {
  const [only] = await Array.fromAsync(operator.observe());
  const { version, health, differences, details, resources } = only!;
  return [version, health, differences, (details.beside as { role?: string } | undefined)?.role, resources.length];
}

describe("a request every 5 ms while a release comes in parts", () => {
  it("loses none through prepare, switch with hold, the way back, and the same again until its finish", async () => {
    const operator = operatorOf();
    const spec = await specFor();
    const first = await succeed(operator, operationOf(spec));
    const load = startLoad(port);
    await load.reach(30);

    const release = partsOf(spec);
    const prepared = await succeed(operator, release("prepare"));
    expect(prepared.outcome.message).toBe("order v2 is healthy on m1 and waits for its switch; v1 serves.");
    await load.reach(30);
    expect([await ask(), await seen(operator)]).toEqual(["v1", ["v1", "healthy", [], "prepared", 2]]);
    const switched = await succeed(operator, release("switch", { hold: true }));
    expect(switched.outcome).toMatchObject({ details: { version: "v2", beside: { role: "held", version: "v1" } } });
    await load.reach(30);
    expect([await ask(), await seen(operator)]).toEqual(["v2", ["v2", "healthy", [], "held", 2]]);
    expect(await Deno.readLink(`${pm.app()}/current`)).toBe("releases/v2");

    // A rollback within the hold: the very program that ran serves again, and nothing is started.
    const { pid } = first.outcome.details as { pid: number };
    const back = await succeed(operator, operationOf(spec, { isRollback: true }));
    expect(back.outcome).toMatchObject({ details: { version: "v1", pid } });
    expect(back.context.text()).not.toContain("Started");
    await load.reach(30);
    expect([await ask(), await seen(operator)]).toEqual(["v1", ["v1", "healthy", [], undefined, 1]]);
    expect(await processesOf(prepared.context)).toBe(0);

    const again = partsOf(spec);
    const second = await succeed(operator, again("prepare"));
    await succeed(operator, again("switch", { hold: true }));
    await load.reach(30);
    expect((await succeed(operator, again("finish"))).outcome.message).toBe("order v1 has ended on m1.");
    expect(await processesOf(first.context)).toBe(0);
    expect((await succeed(operator, again("finish"))).outcome.message).toContain("nothing to end");
    expect((await succeed(operator, again("switch"))).outcome.message).toBe("order v2 serves already on m1.");
    await load.reach(30);
    const { answers, failed } = await load.end();
    expect(failed).toEqual([]);
    expect([...answers.keys()].sort()).toEqual(["v1", "v2"]);
    expect(await processesOf(second.context)).toBeGreaterThan(0);
  });

  it("loses none when the agent is killed in its prepare and behind the record of its switch, and the next ones go on", async () => {
    const spec = await specFor();
    const first = operatorOf();
    const { context: old } = await succeed(first, operationOf(spec));
    await first.stop!();
    const release = partsOf(spec);
    const load = startLoad(port);
    await load.reach(20);
    /** One agent is killed in the middle of it, the next one takes it up. */
    async function surviving(operation: Operation, kill: { killAt?: string; killAtRecord?: string }) {
      const { taskId } = pm.context();
      const agent = await startAgentProcess(pm, operation, { ...kill, taskId, stateDir: proxy.stateDir });
      await agent.ended;
      expect(await agent.read("outcome")).toBeUndefined(); // so it was killed on its way
      const [, logPosition] = await agent.read("log") as [string, number];
      const next = pm.context({ taskId, resumed: true, logPosition, saved: await agent.read("saved") });
      const operator = operatorOf();
      await operator.start!();
      expect(await operator.run(operation, next)).toMatchObject({ status: "success" });
      return operator;
    }
    const second = await surviving(release("prepare"), { killAt: "Started order v2" });
    expect([await ask(), await seen(second)]).toEqual(["v1", ["v1", "healthy", [], "prepared", 2]]);
    await second.stop!();
    const third = await surviving(release("switch", { hold: true }), { killAtRecord: "v2" });
    expect([await ask(), await seen(third)]).toEqual(["v2", ["v2", "healthy", [], "held", 2]]);
    expect(await processesOf(old)).toBeGreaterThan(0);
    await succeed(third, release("finish"));
    await load.reach(20);
    expect((await load.end()).failed).toEqual([]);
    expect(await record()).toMatchObject({ pending: null, beside: null, current: { version: "v2" } });
  });

  it("gives requests back to v1 when nobody takes a killed switch up again, and v2 goes on waiting", async () => {
    const spec = await specFor();
    const first = operatorOf();
    await succeed(first, operationOf(spec));
    const release = partsOf(spec);
    await succeed(first, release("prepare"));
    await first.stop!();
    const load = startLoad(port);
    const { taskId } = pm.context();
    const kill = { killAt: "leads to v2 now", taskId, stateDir: proxy.stateDir };
    await (await startAgentProcess(pm, release("switch"), kill)).ended;
    await expect.poll(ask).toBe("v2");
    const soon = { ...clock, after: (ms: number, call: () => void) => clock.after(ms === 60_000 ? 300 : ms, call) };
    const operator = operatorOf({ clock: soon });
    await operator.start!();
    await expect.poll(async () => (await record()).pending).toBeNull();
    expect([await ask(), (await record()).beside?.role]).toEqual(["v1", "prepared"]);
    await succeed(operator, release("switch"));
    await load.reach(20);
    expect(await ask()).toBe("v2");
    expect((await load.end()).failed).toEqual([]);
  });

  it("loses none when v3 comes right after an agent was killed behind the record of v2", async () => {
    const spec = await specFor();
    const first = operatorOf();
    await succeed(first, operationOf(spec));
    await first.stop!();
    const load = startLoad(port);
    await load.reach(10);
    const kill = { killAtRecord: "v2", taskId: pm.context().taskId, stateDir: proxy.stateDir };
    await (await startAgentProcess(pm, operationOf(spec, v2), kill)).ended;
    const operator = operatorOf();
    await operator.start!();
    const { context } = await succeed(operator, operationOf(spec, v3));
    expect(context.text()).toContain("leads to v3 now");
    await load.reach(20);
    const { answers, failed } = await load.end();
    expect([failed, [...answers.keys()].sort()]).toEqual([[], ["v1", "v2", "v3"]]);
  });
});
