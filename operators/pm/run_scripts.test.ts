import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTagged } from "../../host/process_table.ts";
import { createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import { StopReason } from "../operator.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

type Scripts = Partial<Record<"deploy" | "check" | "rollback" | "remove" | "status", string>>;
async function scripts(texts: Scripts, timeout?: string): Promise<RenderedSpec> {
  const files = Object.fromEntries(Object.entries(texts).map(([name, text]) => [`ops/${name}.sh`, `${text}\n`]));
  const paths = Object.fromEntries(Object.keys(texts).map((name) => [name, `ops/${name}.sh`])) as { deploy: string };
  return specOf({ mode: "script", ...paths, ...(timeout ? { timeout } : {}) }, { bundle: await pm.freeze(files) });
}

describe("deploying by scripts", () => {
  it("runs deploy and check in the release, with its environment, and the log is exactly what they print", async () => {
    const spec = await scripts({
      deploy: String.raw`pwd; echo "$BOREAS_APP $BOREAS_VERSION $BOREAS_IS_ROLLBACK $SECRET"; printf 'a\000\377'`,
      check: "printf checked",
    });
    const context = pm.context({ secrets: { SECRET: "x" } });
    const outcome = await pm.operator.run(operationOf({ ...spec, secrets: ["SECRET"] }), context);
    expect(outcome).toMatchObject({ status: "success", details: { release: "v1" } });
    const text = new TextEncoder().encode(`${pm.app()}/releases/v1\norder v1 0 x\na`);
    expect([...context.bytes()]).toEqual([...text, 0, 255, ...new TextEncoder().encode("checked")]);
    expect(await Deno.readLink(`${pm.app()}/current`)).toBe("releases/v1");
  });

  it("fails with the script's code and last lines, and runs the rollback script as a rollback", async () => {
    const spec = await scripts({
      deploy: "echo deployed",
      check: "echo looking; echo 'it is not well' >&2; exit 4",
      rollback: "echo undoing $BOREAS_IS_ROLLBACK",
    });
    const context = pm.context();
    const outcome = await pm.operator.run(operationOf(spec), context);
    expect(outcome).toMatchObject({
      status: "failed",
      code: "script.check",
      message: "ops/check.sh of order v1 ended with code 4. ops/rollback.sh has undone it.",
      lastLines: ["looking", "it is not well"],
    });
    expect(context.text()).toBe("deployed\nlooking\nit is not well\nundoing 1\n");
  });

  it("is removed by its own script, and stays whole while that fails", async () => {
    const spec = await scripts({
      deploy: "touch ../../runs",
      remove: 'echo "removing $BOREAS_APP $BOREAS_VERSION"; test -e ../../may-go && rm ../../runs',
    });
    await pm.operator.run(operationOf(spec), pm.context());
    const removal = { ...operationOf(spec), action: "remove" as const, spec: null };
    const refused = pm.context();
    const failed = await pm.operator.run({ ...removal, generation: removal.generation + 1 }, refused);
    expect(failed).toMatchObject({ status: "failed", code: "script.remove", lastLines: ["removing order v1"] });
    expect(await Deno.readLink(`${pm.app()}/current`)).toBe("releases/v1");
    await Deno.writeTextFile(`${pm.app()}/may-go`, "");
    const outcome = await pm.operator.run({ ...removal, generation: removal.generation + 2 }, pm.context());
    expect(outcome).toMatchObject({ status: "success", message: expect.stringContaining("is stopped and removed") });
    expect([...Deno.readDirSync(pm.app())].map(({ name }) => name)).toEqual(["release.json"]);
  });

  it("leaves no script of a removal running that was stopped, or handed out anew, while its agent was away", async () => {
    const spec = await scripts({ deploy: "true", remove: "echo up; exec sleep 600" });
    await pm.operator.run(operationOf(spec), pm.context());
    const removal = { ...operationOf(spec), action: "remove" as const, spec: null };
    const silent = () => new Promise<never>(() => {});
    const begin = async () => {
      const context = pm.context();
      void pm.createOperator().run(removal, context);
      await expect.poll(() => context.text(), { timeout: 30_000 }).toContain("up\n");
      const next = context.again();
      Object.assign(context, { log: silent, save: silent, trusted: silent });
      return next;
    };
    const left = (taskId: string) => findTagged([`BOREAS_TASK_ID=${taskId}`, "BOREAS_FENCE=1"]);

    const stopped = await begin();
    stopped.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0.2));
    expect(await pm.createOperator().run(removal, stopped)).toMatchObject({ status: "cancelled" });
    expect(await left(stopped.taskId)).toEqual([]);

    const { taskId } = await begin();
    const second = pm.context({ taskId, fence: 2, attempt: 2 });
    void pm.createOperator().run(removal, second);
    await expect.poll(() => second.text(), { timeout: 30_000 }).toContain("up\n");
    expect(await left(taskId)).toEqual([]);
  });

  it("is removed by its script only as the user that the machine's policy allows", async () => {
    const spec = await scripts({ deploy: "true", remove: `touch ${pm.folder}/removed` });
    await pm.operator.run(operationOf(spec), pm.context());
    const removal = { ...operationOf(spec), action: "remove" as const, spec: null };
    const strict = pm.createOperator({ policy: { modes: ["script"], users: ["deploy"] }, user: "root" });
    const outcome = await strict.run(removal, pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "policy.user" });
    expect(outcome.message).toContain("the remove script of order as root");
    expect([...Deno.readDirSync(pm.folder)].map(({ name }) => name)).not.toContain("removed");
  });

  it("is removed by its script in a rollback too, which brings no secrets along", async () => {
    const spec = await scripts({ deploy: "true", remove: 'echo "[$KEY] [$URL] [$MODE]"' });
    const made = { ...spec, secrets: ["KEY"], env: { URL: "db://${env.KEY}@there", MODE: "plain" } };
    await pm.operator.run(operationOf(made), pm.context({ secrets: { KEY: "x" } }));
    const removal = { ...operationOf(spec), action: "remove" as const, spec: null, isRollback: true };
    const context = pm.context();
    expect(await pm.operator.run(removal, context)).toMatchObject({ status: "success" });
    expect(context.text()).toContain("[] [] [plain]\n");
  });

  it("says that what it started runs on where it has no script that removes it", async () => {
    const spec = await scripts({ deploy: "true" });
    await pm.operator.run(operationOf(spec), pm.context());
    const removal = { ...operationOf(spec), action: "remove" as const, spec: null };
    const outcome = await pm.operator.run(removal, pm.context());
    expect(outcome).toMatchObject({ status: "success", message: expect.stringContaining("no `remove` script") });
  });

  it("kills a script and its double-forked child that ignore TERM, before it is called cancelled", async () => {
    const spec = await scripts(
      {
        deploy:
          "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' >/dev/null 2>&1 &); echo up; while :; do sleep 1; done",
      },
      "300ms",
    );
    const context = pm.context();
    const running = pm.operator.run(operationOf(spec), context);
    await expect.poll(() => context.text()).toContain("up\n");
    context.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0.2));
    expect(await running).toMatchObject({ status: "cancelled" });
    expect(await findTagged([`BOREAS_TASK_ID=${context.taskId}`])).toEqual([]);
  });

  it("gives up a script after its own timeout", async () => {
    const context = pm.context();
    const outcome = await pm.operator.run(
      operationOf(await scripts({ deploy: "echo up; exec sleep 60" }, "300ms")),
      context,
    );
    expect(outcome).toMatchObject({ status: "failed", code: "script.timeout", lastLines: ["up"] });
    expect(outcome.message).toBe("ops/deploy.sh did not end within 0.3 s, so it was stopped.");
  });

  it("leaves alone what a script has put in the background, and ends without waiting for it", async () => {
    const context = pm.context();
    const outcome = await pm.operator.run(operationOf(await scripts({ deploy: "sleep 60 & echo started" })), context);
    expect(outcome.status).toBe("success");
    expect(await findTagged([`BOREAS_TASK_ID=${context.taskId}`])).toHaveLength(1);
  });

  it("says which file is missing from the bundle", async () => {
    const spec = await scripts({ deploy: "true" });
    const runtime = { mode: "script" as const, deploy: "ops/none.sh" };
    const outcome = await pm.operator.run(operationOf({ ...spec, runtime }), pm.context());
    expect(outcome).toMatchObject({ code: "script.missing" });
    expect(outcome.message).toContain("order runs ops/none.sh, which its bundle does not have");
  });

  it("asks the status script what it sees", async () => {
    const spec = await scripts({ deploy: "true", status: "echo two of three; exit 1" });
    await pm.operator.run(operationOf(spec), pm.context());
    expect(await Array.fromAsync(pm.operator.observe())).toMatchObject([
      { application: "order", version: "v1", health: "degraded", details: { status: "two of three" } },
    ]);
  });

  it("stops the program of a version that was a binary", async () => {
    const bin = await pm.freeze({ app: { text: "#!/bin/sh\nexec sleep 60\n", mode: 0o755 } });
    const before = pm.context();
    await pm.operator.run(
      operationOf(specOf({ mode: "binary", artifact: "bin", exec: ["./app"] }, { artifacts: { bin } })),
      before,
    );
    const spec = await scripts({ deploy: "true" });
    await pm.operator.run(operationOf(spec, { version: "v2", versionId: "v2" }), pm.context());
    expect(await findTagged([`BOREAS_TASK_ID=${before.taskId}`])).toEqual([]);
  });
});
