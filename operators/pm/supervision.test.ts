import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../domain/ports.ts";
import { findTagged, sendSignal } from "../../host/process_table.ts";
import { freePorts } from "../../tests/helpers/free_ports.ts";
import { clock, createPmFixture, lastLines, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

/** Time that runs fifty times as fast. */
const quick: Clock = {
  now: clock.now,
  monotonic: () => clock.monotonic() * 50,
  after: (milliseconds, call) => clock.after(milliseconds / 50, call),
};

type Restart = Extract<RenderedSpec["runtime"], { mode: "binary" }>["restart"];
async function shell(script: string, restart?: Restart, over: Partial<RenderedSpec> = {}) {
  const bin = await pm.freeze({ app: { text: `#!/bin/sh\n${script}\n`, mode: 0o755 } });
  return specOf({ mode: "binary", artifact: "bin", exec: ["./app"], ...(restart ? { restart } : {}) }, {
    artifacts: { bin },
    ...over,
  });
}
const pidOf = async (operator = pm.operator) => {
  const [seen] = await Array.fromAsync(operator.observe());
  return seen?.details.pid as number | null | undefined;
};
const restarts = () => pm.logs.filter((log) => log.message.includes("starting it again"));

describe("a deployed program", () => {
  it("is started again when it fails, later each time, and stays down when that happens too often", async () => {
    const operator = pm.createOperator({ clock: quick });
    const spec = await shell(`echo run >> ${pm.folder}/runs; sleep 0.5; exit 3`, {
      policy: "on-failure",
      max: "3/10m",
    });
    expect((await operator.run(operationOf(spec), pm.context())).status).toBe("success");
    await expect.poll(() => pm.logs.at(-1)?.message).toContain("stays down until the next deploy");
    expect(restarts().map((log) => log.context)).toMatchObject([
      { code: 3, delayMs: 1000 },
      { code: 3, delayMs: 2000 },
      { code: 3, delayMs: 4000 },
    ]);
    expect((await Deno.readTextFile(`${pm.folder}/runs`)).split("\n").length - 1).toBe(4);
    expect(await Array.fromAsync(operator.observe())).toMatchObject([{ health: "missing", details: { restarts: 3 } }]);
    const again = await operator.run(operationOf(await shell("exec sleep 60")), pm.context());
    expect(again.status).toBe("success");
  });

  it("that was killed comes back with the same environment and port", async () => {
    const operator = pm.createOperator({ clock: quick });
    const spec = await shell("echo $PORT $TOKEN; exec sleep 60", undefined, { secrets: ["TOKEN"] });
    const runtime = { ...spec.runtime, ports: { http: "auto" } } as RenderedSpec["runtime"];
    await operator.run(operationOf({ ...spec, runtime }), pm.context({ secrets: { TOKEN: "t" } }));
    const [before, lines] = [await pidOf(operator), await lastLines(operator, "order", 5)];
    sendSignal(before!, "KILL");
    await expect.poll(async () => [null, before].includes(await pidOf(operator))).toBe(false);
    await expect.poll(() => lastLines(operator, "order", 5)).toEqual(lines);
    expect(lines).toMatchObject([expect.stringMatching(/^\d+ t$/)]);
  });

  it.each([["on-failure", 0], ["never", 3]] as const)(
    "with policy %s stays down after code %i",
    async (policy, code) => {
      const spec = await shell(`sleep 0.5; exit ${code}`, { policy });
      await pm.operator.run(operationOf(spec), pm.context());
      await expect.poll(() => pm.logs.at(-1)?.message).toContain("stays down, as its restart policy says");
      expect(restarts()).toEqual([]);
    },
  );

  it("runs on when the agent stops, and the next agent watches it", async () => {
    await pm.operator.run(operationOf(await shell("exec sleep 60")), pm.context());
    const pid = await pidOf();
    await pm.operator.stop!();
    const next = pm.createOperator({ clock: quick });
    await next.start!();
    expect(await pidOf(next)).toBe(pid);
    sendSignal(pid!, "KILL");
    await expect.poll(async () => [null, pid].includes(await pidOf(next))).toBe(false);
  });

  it("is started again after the machine restarted under it", async () => {
    await pm.operator.run(operationOf(await shell("exec sleep 60")), pm.context());
    const pid = await pidOf();
    await pm.operator.stop!();
    const file = `${pm.app()}/slots/a/run/process`;
    const [, bootId] = (await Deno.readTextFile(file)).split("\n");
    await Deno.writeTextFile(file, (await Deno.readTextFile(file)).replace(bootId!, "the-boot-before"));
    const next = pm.createOperator();
    await next.start!();
    await expect.poll(() => pidOf(next)).toBeTruthy();
    expect(await pidOf(next)).not.toBe(pid);
  });

  it("that was removed is not started by the next agent", async () => {
    await pm.operator.run(operationOf(await shell("exec sleep 60")), pm.context());
    await pm.operator.run(operationOf(null), pm.context());
    expect([...Deno.readDirSync(pm.app())].map((entry) => entry.name)).toEqual(["release.json"]);
    await pm.operator.stop!();
    const next = pm.createOperator();
    await next.start!();
    expect(await Array.fromAsync(next.observe())).toEqual([]);
  });
});

describe("kill -9 of the agent", () => {
  /** An agent of its own: runs one operation in another process, under the permissions that agents have. */
  async function agentProcess(operation: Operation, taskId: string) {
    const path = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
    const file = `${pm.folder}/agent.ts`;
    const blobs = JSON.stringify(pm.blobs);
    await Deno.writeTextFile(
      file,
      `import { createContext, clock } from ${path("../../tests/helpers/pm_fixture.ts")};
       import { createMachine } from ${path("../../host/machine.ts")};
       import { createPmOperator } from ${path("./pm_operator.ts")};
       const operator = createPmOperator({ machine: createMachine(), clock, logger: { log() {} },
         root: ${JSON.stringify(`${pm.folder}/apps`)}, node: { name: "m1" } });
       await operator.start();
       const context = createContext({ taskId: ${
        JSON.stringify(taskId)
      }, fetchBlob: async (sha256) => (${blobs})[sha256] });
       const { log, save } = context;
       const tell = (what, value) => Deno.writeTextFileSync(${
        JSON.stringify(pm.folder)
      } + "/" + what, JSON.stringify(value));
       context.log = async (data, position) => { await log(data, position); tell("log", [context.text(), context.logPosition]); };
       context.save = async (state) => { await save(state); tell("saved", state); };
       tell("outcome", await operator.run(${JSON.stringify(operation)}, context));
       await new Promise(() => setInterval(() => {}, 1000));`,
    );
    const flags = ["--allow-read", "--allow-write", "--allow-run", "--allow-env", "--allow-net", "--allow-sys"];
    return new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--config", "deno.json", ...flags, file],
      cwd: new URL("../..", import.meta.url).pathname,
    }).spawn();
  }
  const read = async (what: string) => {
    try {
      return JSON.parse(await Deno.readTextFile(`${pm.folder}/${what}`));
    } catch (error: unknown) {
      if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
      throw error;
    }
  };

  it("in the middle of a script: one start, the real exit code, and the log without gap", async () => {
    const bundle = await pm.freeze({
      "deploy.sh":
        `echo start >> ${pm.folder}/starts; echo before; while [ ! -e ${pm.folder}/go ]; do sleep 0.05; done; echo after; exit 9`,
    });
    const operation = operationOf(specOf({ mode: "script", deploy: "deploy.sh" }, { bundle }));
    const context = pm.context();
    const agent = await agentProcess(operation, context.taskId);
    await expect.poll(() => read("log")).toMatchObject(["before\n", expect.anything()]);
    agent.kill("SIGKILL");
    await agent.status;
    await Deno.writeTextFile(`${pm.folder}/go`, "");
    const [, logPosition] = await read("log");
    const next = pm.context({ taskId: context.taskId, resumed: true, logPosition, saved: await read("saved") });
    const operator = pm.createOperator();
    await operator.start!();
    const outcome = await operator.run(operation, next);
    expect(outcome).toMatchObject({ status: "failed", code: "script.deploy", lastLines: ["before", "after"] });
    expect(outcome.message).toContain("ended with code 9");
    expect(next.text()).toBe("after\n");
    expect(await Deno.readTextFile(`${pm.folder}/starts`)).toBe("start\n");
  });

  it("while a binary is not healthy yet: the same program is taken up and becomes the release", async () => {
    const bin = await pm.freeze({ app: { text: "#!/bin/sh\necho up; exec sleep 60\n", mode: 0o755 } });
    const operation = operationOf(specOf({ mode: "binary", artifact: "bin", exec: ["./app"] }, {
      artifacts: { bin },
      health: [{ exec: ["test", "-e", `${pm.folder}/go`], every: "100ms" }],
      deadlineSeconds: 60,
    }));
    const context = pm.context();
    const agent = await agentProcess(operation, context.taskId);
    await expect.poll(async () => (await read("log"))?.[0] ?? "").toContain("up\n");
    const pid = Number(/pid (\d+)/.exec((await read("log"))[0])![1]);
    agent.kill("SIGKILL");
    await agent.status;
    await Deno.writeTextFile(`${pm.folder}/go`, "");
    const [, logPosition] = await read("log");
    const next = pm.context({ taskId: context.taskId, resumed: true, logPosition, saved: await read("saved") });
    const operator = pm.createOperator();
    await operator.start!();
    expect(await operator.run(operation, next)).toMatchObject({ status: "success", details: { pid } });
    expect(next.text()).not.toContain("up\n");
    expect(await operator.run(operation, next.again())).toMatchObject({ status: "success", details: { pid } });
  });

  it("in a deploy that nobody takes up again: its program is ended, and the old release comes back", async () => {
    const ports = { http: freePorts(1)[0]! };
    const binary = async (text: string, over: Partial<RenderedSpec> = {}) => {
      const bin = await pm.freeze({ app: { text: `#!/bin/sh\n${text}\n`, mode: 0o755 } });
      return specOf({ mode: "binary", artifact: "bin", exec: ["./app"], ports }, { artifacts: { bin }, ...over });
    };
    await pm.operator.run(operationOf(await binary("exec sleep 60")), pm.context());
    await pm.operator.stop!();
    const context = pm.context();
    const spec = await binary("echo up; exec sleep 61", { health: [{ exec: ["false"] }], deadlineSeconds: 600 });
    const agent = await agentProcess(operationOf(spec, { version: "v2", versionId: "v2" }), context.taskId);
    await expect.poll(async () => (await read("log"))?.[0] ?? "").toContain("up\n");
    agent.kill("SIGKILL");
    await agent.status;
    const operator = pm.createOperator({ clock: quick });
    await operator.start!();
    expect(await pidOf(operator)).toBeNull(); // the fixed port is the new program's until it is known to be nobody's
    await expect.poll(() => pidOf(operator)).toBeTruthy();
    expect(await findTagged([`BOREAS_TASK_ID=${context.taskId}`])).toEqual([]);
    expect(await Array.fromAsync(operator.observe())).toMatchObject([{ version: "v1", health: "healthy" }]);
  });
});
