import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTagged } from "../../host/process_table.ts";
import { freePorts } from "../../tests/helpers/free_ports.ts";
import { startAgentProcess } from "../../tests/helpers/pm_agent_process.ts";
import { clock, createPmFixture, operationOf, serverCommand, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import { startLoad } from "../../tests/helpers/request_load.ts";
import { createTestProxy } from "../../tests/helpers/test_proxy.ts";
import type { TestProxy } from "../../tests/helpers/test_proxy.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import { createMachineRouter } from "./route/machine_router.ts";

let pm: PmFixture;
let proxy: TestProxy;
beforeEach(async () => {
  proxy = await createTestProxy();
  pm = await createPmFixture();
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
  await new Promise((resolve) => setTimeout(resolve, 300));
  return new Response(version);
});
`;
const operatorOf = (over = {}) => pm.createOperator({ router: createMachineRouter(proxy.createClient()), ...over });

async function specFor(listen: number, over: Partial<RenderedSpec> = {}) {
  return specOf({ mode: "binary", artifact: "bin", exec: serverCommand, ports: { http: "auto" } }, {
    artifacts: { bin: await pm.freeze({ "server.ts": SERVER }) },
    health: [{ http: { port: "http", path: "/" }, every: "100ms" }],
    route: { mode: "proxy", listen, port: "http", host: null, drainSeconds: 30 },
    deadlineSeconds: 60,
    ...over,
  });
}
const v2 = { version: "v2", versionId: "v2" };
const ask = async (port: number) => await (await fetch(`http://127.0.0.1:${port}/`)).text();

describe("a request every 5 ms while a binary changes its version", () => {
  it("loses none from v1 to v2 and back", async () => {
    const [port] = freePorts(1) as [number];
    const spec = await specFor(port);
    const operator = operatorOf();
    expect(await operator.run(operationOf(spec), pm.context())).toMatchObject({ status: "success" });
    const load = startLoad(port);
    await load.reach(50);
    const context = pm.context();
    expect(await operator.run(operationOf(spec, v2), context)).toMatchObject({ status: "success" });
    expect(context.text()).toContain(`Port ${port} leads to v2 now.`);
    await load.reach(50);
    expect(await ask(port)).toBe("v2");
    expect(await operator.run(operationOf(spec, { isRollback: true }), pm.context())).toMatchObject({
      status: "success",
      details: { version: "v1" },
    });
    await load.reach(50);
    expect(await ask(port)).toBe("v1");
    const { answers, failed } = await load.end();
    expect(failed).toEqual([]);
    expect([...answers.keys()].sort()).toEqual(["v1", "v2"]);
  });

  it("loses none when v2 never gets healthy, and v1 goes on", async () => {
    const [port] = freePorts(1) as [number];
    const operator = operatorOf();
    await operator.run(operationOf(await specFor(port)), pm.context());
    const load = startLoad(port);
    await load.reach(20);
    const bad = await specFor(port, { health: [{ tcp: { port: freePorts(1)[0]! } }], deadlineSeconds: 1 });
    expect(await operator.run(operationOf(bad, v2), pm.context())).toMatchObject({
      status: "failed",
      code: "health.deadline",
      details: { keptPrevious: true, version: "v1" },
    });
    await load.reach(20);
    const { answers, failed } = await load.end();
    expect([failed, [...answers.keys()]]).toEqual([[], ["v1"]]);
  });

  const POINTS = [
    ["right after v2 was started", { killAt: "Started order v2" }],
    ["when v2 is healthy, before requests go to it", { killAt: "Healthy after" }],
    ["right after requests went to v2, before the record says so", { killAt: "leads to v2 now" }],
    ["when the record says v2, before v1 has finished", { killAtRecord: "v2" }],
  ] as const;
  it.each(POINTS)("loses none when the agent is killed %s, and the next one goes on", async (_point, kill) => {
    const [port] = freePorts(1) as [number];
    const spec = await specFor(port);
    const first = operatorOf();
    await first.run(operationOf(spec), pm.context());
    await first.stop!();
    const load = startLoad(port);
    await load.reach(20);
    const operation = operationOf(spec, v2);
    const context = pm.context();
    const agent = await startAgentProcess(pm, operation, { ...kill, taskId: context.taskId, stateDir: proxy.stateDir });
    await agent.ended;
    expect(await agent.read("outcome")).toBeUndefined(); // so it was killed on its way
    await load.reach(20);
    const [, logPosition] = await agent.read("log") as [string, number];
    const next = pm.context({ taskId: context.taskId, resumed: true, logPosition, saved: await agent.read("saved") });
    const operator = operatorOf();
    await operator.start!();
    expect(await operator.run(operation, next)).toMatchObject({ status: "success", details: { version: "v2" } });
    await load.reach(20);
    expect(await ask(port)).toBe("v2");
    expect(await operator.run(operationOf(spec, { isRollback: true }), pm.context())).toMatchObject({
      status: "success",
    });
    await load.reach(20);
    const { answers, failed } = await load.end();
    expect(failed).toEqual([]);
    expect([...answers.keys()].sort()).toEqual(["v1", "v2"]);
  });

  it("gives requests back to v1 when nobody takes a killed deploy up again, and loses none", async () => {
    const [port] = freePorts(1) as [number];
    const spec = await specFor(port);
    const first = operatorOf();
    await first.run(operationOf(spec), pm.context());
    await first.stop!();
    const load = startLoad(port);
    const context = pm.context();
    const { taskId } = context;
    const kill = { killAt: "leads to v2 now", taskId, stateDir: proxy.stateDir };
    await (await startAgentProcess(pm, operationOf(spec, v2), kill)).ended;
    await expect.poll(() => ask(port)).toBe("v2");
    const quick = { ...clock, after: (ms: number, call: () => void) => clock.after(ms / 50, call) };
    await operatorOf({ clock: quick }).start!();
    await expect.poll(() => ask(port)).toBe("v1");
    await load.reach(50);
    expect((await load.end()).failed).toEqual([]);
  });
});

it("serves again when the proxy and its routes were lost while no agent looked", async () => {
  const [port] = freePorts(1) as [number];
  const spec = await specFor(port);
  const first = operatorOf();
  await first.run(operationOf(spec), pm.context());
  await first.stop!();
  Deno.kill((await proxy.client.status())!.pid, "SIGKILL");
  await Deno.remove(`${proxy.folder}/routes.json`);
  await expect.poll(() => proxy.client.status()).toBeUndefined();
  const operator = operatorOf();
  await operator.start!();
  expect(await ask(port)).toBe("v1");
  expect(await Array.fromAsync(operator.observe())).toMatchObject([{ health: "healthy", differences: [] }]);
});

it("names the program that holds the public port, and what to do, and leaves nothing of the release running", async () => {
  const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const context = pm.context();
  const outcome = await operatorOf().run(operationOf(await specFor(port)), context);
  listener.close();
  expect(outcome).toMatchObject({ status: "failed", code: "port.taken", details: { port } });
  expect(outcome.message).toMatch(
    new RegExp(`^order cannot be reached on port ${port}: port ${port} is taken by .*\\. Stop that program, or give`),
  );
  expect(await findTagged([`BOREAS_TASK_ID=${context.taskId}`])).toEqual([]);
});
