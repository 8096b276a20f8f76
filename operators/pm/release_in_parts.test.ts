import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTagged, sendSignal } from "../../host/process_table.ts";
import { createTestRouter } from "../../tests/helpers/docker_world.ts";
import { freePorts } from "../../tests/helpers/free_ports.ts";
import { clock, createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture, TestContext } from "../../tests/helpers/pm_fixture.ts";
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";
import { StopReason } from "../operator.ts";
import type { Operator } from "../operator.ts";
import type { AppRecord } from "./app_record.ts";
import { LONGEST_MS } from "./beside.ts";
import { PmFailure } from "./failure.ts";

let pm: PmFixture;
let testRouter: ReturnType<typeof createTestRouter>;
beforeEach(async () => {
  pm = await createPmFixture();
  testRouter = createTestRouter();
});
afterEach(() => pm.close());

const operatorOf = (over = {}) => pm.createOperator({ router: testRouter.router, ...over });
/** Lives until a file says that this version is to end. */
const LIVES = "echo up; while ! test -e $DIES/$BOREAS_VERSION; do sleep 0.05; done; echo bye; exit 3";
async function specFor(over: Partial<RenderedSpec> = {}, program = LIVES) {
  return specOf({ mode: "binary", artifact: "bin", exec: ["./app"], ports: { http: "auto" } }, {
    artifacts: { bin: await pm.freeze({ app: { text: `#!/bin/sh\n${program}\n`, mode: 0o755 } }) },
    route: { mode: "proxy", listen: 80, port: "http", host: null, drainSeconds: 1 },
    env: { DIES: pm.folder },
    ...over,
  });
}
const version = (name: string) => ({ version: name, versionId: name });
/** The parts of one deployment. */
function partsOf(spec: RenderedSpec, over: Partial<Operation> = version("v2")) {
  const whole = operationOf(spec, over);
  return (action: Operation["action"], more: Partial<Operation> = {}): Operation => ({ ...whole, action, ...more });
}
const record = async (): Promise<AppRecord> => JSON.parse(await Deno.readTextFile(`${pm.app()}/release.json`));
const processesOf = async ({ taskId }: TestContext) => (await findTagged([`BOREAS_TASK_ID=${taskId}`])).length;
async function succeed(operator: Operator, operation: Operation, over = {}) {
  const context = pm.context(over);
  const outcome = await operator.run(operation, context);
  expect(outcome).toMatchObject({ status: "success" });
  return context;
}
const servedPort = () => testRouter.routes.get("80 *")?.port;

describe("a release in parts", () => {
  it("fails its switch clearly when what was prepared has died, and the old one keeps serving", async () => {
    const operator = operatorOf();
    const spec = await specFor();
    const old = await succeed(operator, operationOf(spec));
    const port = servedPort();
    const release = partsOf(spec);
    const prepared = await succeed(operator, release("prepare"));
    await Deno.writeTextFile(`${pm.folder}/v2`, "");
    await expect.poll(() => processesOf(prepared)).toBe(0);
    expect(await operator.run(release("switch", { hold: true }), pm.context())).toMatchObject({
      status: "failed",
      code: "switch.gone",
      message: "order v2 cannot take requests on m1: it has ended with code 3. v1 keeps serving.",
      lastLines: ["up", "bye"],
      details: { version: "v1", keptPrevious: true },
    });
    expect([servedPort(), (await record()).pending]).toEqual([port, null]);
    expect(await processesOf(old)).toBeGreaterThan(0);
  });

  it("is not switched to without its own prepare, nor by another deployment's", async () => {
    const operator = operatorOf();
    const spec = await specFor();
    await succeed(operator, operationOf(spec));
    const why = {
      code: "switch.unprepared",
      message:
        "order v2 does not wait beside on m1 any more, so requests cannot go to it. v1 keeps serving. Deploy it again.",
    };
    expect(await operator.run(partsOf(spec)("switch"), pm.context())).toMatchObject(why);
    await succeed(operator, partsOf(spec)("prepare"));
    expect(await operator.run(partsOf(spec)("switch"), pm.context())).toMatchObject(why);
    const early = partsOf(spec);
    await succeed(operator, operationOf(spec, version("v3")));
    expect(await operator.run(early("switch"), pm.context())).toMatchObject({ code: "generation.older" });
  });

  it("is refused with what to write where both releases would want the same fixed port", async () => {
    const [port] = freePorts(1) as [number];
    const fixed = { runtime: { mode: "binary" as const, artifact: "bin", exec: ["./app"], ports: { http: port } } };
    const spec = await specFor({ ...fixed, route: { mode: "none" } });
    const operator = operatorOf();
    const release = partsOf(spec, version("v1"));
    await succeed(operator, release("prepare")); // nothing else is there to hold it
    const old = await succeed(operator, release("switch"));
    const context = pm.context();
    const outcome = await operator.run(partsOf(spec)("prepare"), context);
    expect(outcome).toMatchObject({ status: "failed", code: "prepare.port", details: { version: "v1" } });
    expect(outcome.message).toContain(`cannot start beside v1, which holds port ${port}`);
    expect(outcome.message).toContain(`Write \`ports: { http: auto }\` and \`route: { mode: proxy, listen: ${port}`);
    expect(await processesOf(old) + await processesOf(context)).toBe(0);
    expect(await Array.fromAsync(operator.observe())).toMatchObject([{ version: "v1", health: "healthy" }]);
  });

  it("that was prepared or is held ends with any later deploy, and with a removal", async () => {
    const operator = operatorOf();
    const spec = await specFor();
    const first = await succeed(operator, operationOf(spec));
    const prepared = await succeed(operator, partsOf(spec)("prepare"));
    await succeed(operator, operationOf(spec, { isRollback: true })); // v1 runs already
    expect([await processesOf(prepared), (await record()).beside]).toEqual([0, null]);

    const release = partsOf(spec);
    const second = await succeed(operator, release("prepare"));
    await succeed(operator, release("switch", { hold: true }));
    await succeed(operator, operationOf(spec, version("v3")));
    expect([await processesOf(first), await processesOf(second), (await record()).beside]).toEqual([0, 0, null]);

    const next = partsOf(spec, version("v4"));
    const waiting = await succeed(operator, next("prepare"));
    await succeed(operator, next("finish")); // not wanted any more
    expect(await processesOf(waiting)).toBe(0);
    const last = partsOf(spec, version("v5"));
    const fifth = await succeed(operator, last("prepare"));
    await succeed(operator, last("switch", { hold: true }));
    await succeed(operator, operationOf(null));
    expect([await processesOf(fifth), [...testRouter.routes.keys()]]).toEqual([0, []]);
    expect(await Array.fromAsync(operator.observe())).toEqual([]);
  });

  it("survives its agent: one that waits goes on waiting, one that is held is brought back when it dies", async () => {
    const spec = await specFor();
    const first = operatorOf();
    const old = await succeed(first, operationOf(spec));
    const release = partsOf(spec);
    const prepared = await succeed(first, release("prepare"));
    await first.stop!();
    const second = operatorOf();
    await second.start!();
    expect(await Array.fromAsync(second.observe())).toMatchObject([
      { version: "v1", differences: [], details: { beside: { role: "prepared", version: "v2" } } },
    ]);
    const switched = await succeed(second, release("switch", { hold: true }));
    expect(switched.text()).toContain("v1 goes on running behind it.");
    expect(await processesOf(prepared)).toBeGreaterThan(0);
    await second.stop!();

    for (const { pid } of await findTagged([`BOREAS_TASK_ID=${old.taskId}`])) sendSignal(pid, "KILL");
    await expect.poll(() => processesOf(old)).toBe(0);
    const third = operatorOf();
    await third.start!();
    await expect.poll(() => processesOf(old)).toBeGreaterThan(0);
    await succeed(third, operationOf(spec, { isRollback: true }));
    expect([(await record()).current?.version, await processesOf(prepared)]).toEqual(["v1", 0]);
    expect(await processesOf(old)).toBeGreaterThan(0);
  });

  it("that nobody comes for ends by its time, also when the agent was away for all of it", async () => {
    const spec = await specFor();
    const soon = {
      ...clock,
      after: (ms: number, call: () => void) => clock.after(ms > LONGEST_MS / 2 ? 300 : ms, call),
    };
    const operator = operatorOf({ clock: soon });
    await succeed(operator, operationOf(spec));
    const prepared = await succeed(operator, partsOf(spec)("prepare"));
    await expect.poll(() => processesOf(prepared)).toBe(0);
    await expect.poll(async () => (await record()).beside).toBeNull();

    const release = partsOf(spec);
    const held = operatorOf();
    await succeed(held, release("prepare"));
    await succeed(held, release("switch", { hold: true }));
    await held.stop!();
    const left = await record();
    const since = new Date(Date.now() - LONGEST_MS).toISOString();
    await Deno.writeTextFile(
      `${pm.app()}/release.json`,
      JSON.stringify({ ...left, beside: { ...left.beside, since } }),
    );
    await operatorOf().start!();
    await expect.poll(async () => (await record()).beside).toBeNull();
    expect((await record()).current?.version).toBe("v2");
  });

  it("that does not come up, or is cancelled, leaves nothing beside the old one", async () => {
    const operator = operatorOf();
    await succeed(operator, operationOf(await specFor()));
    const failed = pm.context();
    expect(await operator.run(partsOf(await specFor({}, "echo no; exit 5"))("prepare"), failed)).toMatchObject({
      status: "failed",
      code: "process.exited",
      lastLines: ["no"],
      message: "order v2 did not come up: it ended (with code 5) before it was healthy. v1 keeps running.",
    });
    const cancelled = pm.context();
    const slow = partsOf(await specFor({ health: [{ exec: ["false"] }], deadlineSeconds: 600 }));
    const running = operator.run(slow("prepare"), cancelled);
    await expect.poll(() => cancelled.text()).toContain("Started");
    cancelled.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0.2));
    expect(await running).toMatchObject({ status: "cancelled" });
    expect(await processesOf(failed) + await processesOf(cancelled)).toBe(0);
    expect(await record()).toMatchObject({ pending: null, beside: null, current: { version: "v1" } });
  });

  it("is not started twice by a newer attempt, and not at all where it serves already", async () => {
    const operator = operatorOf();
    const spec = await specFor();
    await succeed(operator, operationOf(spec));
    const release = partsOf(spec);
    const first = await succeed(operator, release("prepare"));
    const second = await succeed(operator, release("prepare"), { taskId: first.taskId, fence: 2, attempt: 2 });
    expect([first.text().includes("Started"), second.text().includes("Started")]).toEqual([true, false]);
    await succeed(operator, release("switch"));
    const again = partsOf(spec);
    expect((await succeed(operator, again("prepare"))).text()).toContain("runs here already and is healthy");
    await succeed(operator, again("switch"));
    expect(await record()).toMatchObject({ beside: null, current: { version: "v2", fence: 1 } });
  });

  it("waits on when requests cannot be sent to it, and is switched to by the next attempt", async () => {
    let isAway = false;
    const router = {
      ...testRouter.router,
      switchTo: (route: never, backend: never) => {
        if (isAway && (isAway = false, true)) throw new PmFailure("proxy.away", "The proxy does not answer.");
        return testRouter.router.switchTo(route, backend);
      },
    };
    const operator = operatorOf({ router });
    const spec = await specFor();
    await succeed(operator, operationOf(spec));
    const port = servedPort();
    const release = partsOf(spec);
    const prepared = await succeed(operator, release("prepare"));
    isAway = true;
    expect(await operator.run(release("switch"), pm.context())).toMatchObject({
      status: "failed",
      code: "proxy.away",
      message: "The proxy does not answer. v1 keeps serving.",
    });
    expect([servedPort(), (await record()).beside?.role, (await record()).pending]).toEqual([port, "prepared", null]);
    await succeed(operator, release("switch"));
    expect([servedPort(), await processesOf(prepared) > 0]).toEqual([(await record()).current!.ports.http, true]);
  });

  it("tells a hook before the switch the ports of the release that waits", async () => {
    const operator = operatorOf();
    const bundle = await pm.freeze({ "smoke.sh": 'echo "asks $PORT $PORT_http"\n' });
    const spec = await specFor({ bundle });
    await succeed(operator, operationOf(spec));
    const release = partsOf(spec);
    await succeed(operator, release("prepare"));
    const hook = await succeed(operator, release("hook", { hook: { name: "preSwitch", run: "smoke.sh" } }));
    const { http } = (await record()).beside!.release.ports;
    expect(hook.text()).toBe(`asks ${http} ${http}\n`);
  });
});

it("scripts lie ready after a prepare, and run when they are switched to; nothing of them is held", async () => {
  const ledger = `${pm.folder}/ledger`;
  const bundle = await pm.freeze({ "deploy.sh": `echo $BOREAS_VERSION >> ${ledger}\n` });
  const spec = specOf({ mode: "script", deploy: "deploy.sh" }, { bundle });
  const release = partsOf(spec);
  const operator = operatorOf();
  await Deno.writeTextFile(ledger, "");
  const context = await succeed(operator, release("prepare"));
  expect(context.text()).toBe("[boreas] order v2 lies ready on m1; deploy.sh runs when it is switched to.\n");
  expect(await Deno.readTextFile(ledger)).toBe("");
  await succeed(operator, release("switch", { hold: true }));
  expect(await Deno.readTextFile(ledger)).toBe("v2\n");
  await succeed(operator, release("finish"));
  const missing = partsOf(specOf({ mode: "script", deploy: "none.sh" }, { bundle }), version("v3"));
  expect(await operator.run(missing("prepare"), pm.context())).toMatchObject({ code: "script.missing" });
  expect((await record()).current?.version).toBe("v2");
});
