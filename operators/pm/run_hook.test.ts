import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTagged } from "../../host/process_table.ts";
import { createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";
import { StopReason } from "../operator.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

/** The application is a binary that nobody has deployed here. */
async function hookOf(text: string, over: Partial<Operation> = {}, spec: Partial<RenderedSpec> = {}) {
  const bundle = await pm.freeze({ "ops/hook.sh": `${text}\n`, "conf/app.toml": "level = 1\n" });
  return operationOf(specOf({ mode: "binary", artifact: "bin", exec: ["./app"] }, { bundle, ...spec }), {
    action: "hook",
    hook: { name: "preDeploy", run: "ops/hook.sh" },
    ...over,
  });
}
const list = async (path: string) => {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
};

describe("a hook", () => {
  it("runs from the bundle, told what a deployed program is told, and leaves nothing behind", async () => {
    const operation = await hookOf(
      'echo "$BOREAS_HOOK $BOREAS_APP $BOREAS_VERSION $BOREAS_IS_ROLLBACK $LEVEL $SECRET $ADDRESS"; cat "$BOREAS_RELEASE_DIR/app.toml"; pwd',
      { isRollback: true },
      {
        env: { LEVEL: "info", ADDRESS: "localhost:${port.http}" },
        secrets: ["SECRET"],
        files: [{ from: "conf/app.toml", to: "app.toml" }],
      },
    );
    const context = pm.context({ secrets: { SECRET: "x" } });
    expect(await pm.operator.run(operation, context)).toMatchObject({
      status: "success",
      message: "The preDeploy hook of order v1, ops/hook.sh, has run on m1.",
    });
    const place = `${pm.app()}/hooks/${context.taskId}-1/release`;
    expect(context.text()).toBe(`preDeploy order v1 1 info x \nlevel = 1\n${place}\n`);
    expect(await list(pm.app())).toEqual(["hooks"]); // no record, no release, no slot
    expect(await list(`${pm.app()}/hooks`)).toEqual([]);
    expect(await Array.fromAsync(pm.operator.observe())).toEqual([]);
  });

  it("fails with its code and its last lines", async () => {
    const context = pm.context();
    const operation = await hookOf("echo looking; echo 'the table is locked' >&2; exit 4");
    expect(await pm.operator.run(operation, context)).toMatchObject({
      status: "failed",
      code: "hook.failed",
      message: "The preDeploy hook of order v1, ops/hook.sh, ended with code 4 on m1.",
      lastLines: ["looking", "the table is locked"],
    });
  });

  it("names the file that the bundle does not have, and an application without a bundle", async () => {
    const missing = await hookOf("true", { hook: { name: "preSwitch", run: "ops/none.sh" } });
    expect((await pm.operator.run(missing, pm.context())).message)
      .toBe("order runs ops/none.sh, which its bundle does not have; add it to `bundle`.");
    const none = await hookOf("true", {}, { bundle: null });
    expect((await pm.operator.run(none, pm.context())).message)
      .toBe(
        "The preDeploy hook of order v1 runs ops/hook.sh, and the application has no `bundle`; name that file there.",
      );
  });

  it.each(
    [
      ["cancel", { status: "cancelled" }],
      ["timeout", { status: "failed", code: "task.timeout" }],
    ] as const,
  )("is killed on a %s with all that it started, and its last lines are told", async (kind, ending) => {
    const context = pm.context();
    const running = pm.operator.run(
      await hookOf(
        "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' >/dev/null 2>&1 &); echo up; while :; do sleep 1; done",
        { timeoutSeconds: 600 },
      ),
      context,
    );
    await expect.poll(() => context.text()).toContain("up\n");
    context.controller.abort(new StopReason(kind, "It is over.", 0.2));
    expect(await running).toMatchObject({ ...ending, lastLines: ["up"] });
    expect(await findTagged([`BOREAS_TASK_ID=${context.taskId}`])).toEqual([]);
  });

  it("that its agent had begun is followed by the next one, not run again", async () => {
    const ledger = `${pm.folder}/ledger`;
    const operation = await hookOf(
      `echo begun >> ${ledger}; echo up; while ! test -e ${pm.folder}/go; do sleep 0.05; done; echo done`,
    );
    const first = pm.context();
    void pm.operator.run(operation, first);
    await expect.poll(() => first.text()).toContain("up\n");
    const silent = () => new Promise<never>(() => {});
    const next = first.again();
    Object.assign(first, { log: silent, save: silent, trusted: silent });
    const resumed = pm.createOperator().run(operation, next);
    await Deno.writeTextFile(`${pm.folder}/go`, "");
    expect(await resumed).toMatchObject({ status: "success" });
    expect(next.text()).toBe("done\n");
    expect(await Deno.readTextFile(ledger)).toBe("begun\n");
  });

  it("of a newer attempt ends what the one before had left running", async () => {
    const first = pm.context({ fence: 1 });
    void pm.operator.run(await hookOf("echo up; exec sleep 600"), first);
    await expect.poll(() => first.text()).toContain("up\n");
    const silent = () => new Promise<never>(() => {});
    Object.assign(first, { log: silent, save: silent, trusted: silent });
    const second = pm.context({ taskId: first.taskId, fence: 2, attempt: 2 });
    expect(await pm.createOperator().run(await hookOf("echo again"), second)).toMatchObject({ status: "success" });
    expect(await findTagged([`BOREAS_TASK_ID=${first.taskId}`, "BOREAS_FENCE=1"])).toEqual([]);
  });

  it("does not wait for a deploy of its application, nor a removal for it", async () => {
    const hook = pm.context();
    const running = pm.operator.run(
      await hookOf(`echo up; while ! test -e ${pm.folder}/go; do sleep 0.05; done; cat conf/app.toml`),
      hook,
    );
    await expect.poll(() => hook.text()).toContain("up\n");
    const bin = await pm.freeze({ app: { text: "#!/bin/sh\nexec sleep 60\n", mode: 0o755 } });
    const spec = specOf({ mode: "binary", artifact: "bin", exec: ["./app"] }, { artifacts: { bin } });
    expect(await pm.operator.run(operationOf(spec), pm.context())).toMatchObject({ status: "success" });
    expect(await pm.operator.run(operationOf(null), pm.context())).toMatchObject({ status: "success" });
    await Deno.writeTextFile(`${pm.folder}/go`, "");
    expect(await running).toMatchObject({ status: "success" });
    expect(hook.text()).toBe("up\nlevel = 1\n");
  });

  it("is refused by name where the machine's policy allows no scripts, before it is taken on", async () => {
    const ledger = `${pm.folder}/ledger`;
    const operation = await hookOf(`echo begun >> ${ledger}`);
    const strict = pm.createOperator({ policy: { modes: ["binary"] } });
    const why = "m1 does not run the preDeploy hook of order: its policy allows binary.";
    expect(strict.refuses!(operation)).toBe(why);
    expect(await strict.run(operation, pm.context())).toMatchObject({
      status: "failed",
      code: "mode.refused",
      message: why,
    });
    const user = pm.createOperator({ policy: { modes: ["script"], users: ["deploy"] }, user: "root" });
    expect(user.refuses!(operation)).toContain("does not run the preDeploy hook of order as root");
    const gate = {
      ...operation,
      action: "gate" as const,
      hook: undefined,
      gate: { run: "../x.sh", everySeconds: 1, forSeconds: 0 },
    };
    const paths = pm.createOperator({ policy: { modes: ["script"], paths: ["/srv"] } });
    expect(paths.refuses!(gate)).toBe(
      "m1 does not start ../x.sh for the gate's script of order: its policy allows the paths /srv.",
    );
    expect(paths.refuses!(operation)).toBeUndefined();
    expect(await list(pm.folder)).not.toContain("ledger");
    // A deploy does not pass for the hook that it names.
    const binary = specOf({ mode: "binary", artifact: "bin", exec: ["./app"] });
    expect(paths.refuses!({ ...operationOf(binary), hook: operation.hook })).toBe(
      "m1 does not run binary applications: its policy allows script.",
    );
  });
});

describe("a gate's script", () => {
  const gateOf = async (text: string, gate: Partial<NonNullable<Operation["gate"]>> = {}) => ({
    ...await hookOf(text),
    action: "gate" as const,
    hook: undefined,
    gate: { run: "ops/hook.sh", everySeconds: 1, forSeconds: 0, ...gate },
  });

  it("is measured once when no time is told, and its first line is the value", async () => {
    const context = pm.context();
    const outcome = await pm.operator.run(await gateOf("echo 0.25; echo more"), context);
    expect(outcome).toMatchObject({
      status: "success",
      message: "The gate of order v1, ops/hook.sh, held on m1: 1 good measurement.",
      details: { measurements: [{ ok: true, value: 0.25, note: "good, 0.25" }] },
    });
    expect(context.text()).toBe("0.25\nmore\n[boreas] Measurement 1: good, 0.25\n");
  });

  it("is measured every so often until its time is over, and fails at once with the sentence", async () => {
    const count = `${pm.folder}/count`;
    const counting = `n=$(cat ${count} 2>/dev/null || echo 0); n=$((n+1)); echo $n > ${count}; echo "look $n";`;
    const held = await pm.operator.run(await gateOf(counting, { forSeconds: 2 }), pm.context());
    expect(held.details!.measurements).toMatchObject([
      { ok: true, note: "good: look 1" },
      { ok: true, note: "good: look 2" },
      { ok: true, note: "good: look 3" },
    ]);
    const failed = await pm.operator.run(
      await gateOf(`${counting} test $n -lt 5 || exit 3`, { forSeconds: 600 }),
      pm.context(),
    );
    expect(failed).toMatchObject({
      status: "failed",
      code: "gate.failed",
      message: "The gate of order v1, ops/hook.sh, failed at measurement 2 on m1: it ended with code 3: look 5.",
      lastLines: ["look 5"],
      details: { measurements: [{ ok: true }, { ok: false }] },
    });
  });

  it("goes on with its measurements after a restart of the agent, and does not begin anew", async () => {
    const ledger = `${pm.folder}/ledger`;
    const operation = await gateOf(`echo run >> ${ledger}; echo up; sleep 0.3`, { forSeconds: 4 });
    const first = pm.context();
    void pm.operator.run(operation, first);
    await expect.poll(() => first.text().split("up\n").length).toBeGreaterThanOrEqual(3);
    const silent = () => new Promise<never>(() => {});
    const next = first.again();
    Object.assign(first, { log: silent, save: silent, trusted: silent });
    const outcome = await pm.createOperator().run(operation, next);
    expect(outcome.status).toBe("success");
    const { length } = outcome.details!.measurements as unknown[];
    expect((await Deno.readTextFile(ledger)).trim().split("\n").length).toBe(length);
  });

  it("gives a measurement up after its own timeout", async () => {
    const outcome = await pm.operator.run(
      await gateOf("echo up; exec sleep 60", { timeoutSeconds: 0.3 }),
      pm.context(),
    );
    expect(outcome).toMatchObject({ status: "failed", code: "script.timeout", lastLines: ["up"] });
  });
});
