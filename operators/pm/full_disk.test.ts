import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";

const run = async (...command: [string, ...string[]]) => {
  const [program, ...args] = command;
  return (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()).success;
};
const canMount = await (async () => {
  const folder = await Deno.makeTempDir();
  const mounted = await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder);
  if (mounted) await run("umount", folder);
  await Deno.remove(folder);
  return mounted;
})();

describe.skipIf(!canMount)(`a full disk${canMount ? "" : " [needs root that may mount]"}`, () => {
  let pm: PmFixture;
  let disk: string;
  beforeEach(async () => {
    pm = await createPmFixture();
    disk = `${pm.folder}/disk`;
    await Deno.mkdir(disk);
    await run("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk);
  });
  afterEach(async () => {
    await run("umount", "-l", disk);
    await pm.close();
  });

  const program = async (text: string, ballast = 0) => {
    const bin = await pm.freeze({
      app: { text: `#!/bin/sh\n${text}\n`, mode: 0o755 },
      ballast: "x".repeat(ballast),
    });
    return specOf({ mode: "binary", artifact: "bin", exec: ["./app"] }, { artifacts: { bin } });
  };

  it("fails the task with that reason, leaves nothing behind, and the next one passes", async () => {
    const operator = pm.createOperator({ root: `${disk}/apps` });
    const outcome = await operator.run(operationOf(await program("exec sleep 60", 4_000_000)), pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "disk.full", retryable: true });
    expect(outcome.message).toContain("The disk of m1 is full");
    expect((await operator.run(operationOf(await program("exec sleep 60")), pm.context())).status).toBe("success");
  });

  it("takes output from a running program, never the program itself", async () => {
    const operator = pm.createOperator({ root: `${disk}/apps` });
    const spec = await program(
      `while [ ! -e ${pm.folder}/go ]; do sleep 0.05; done; head -c 6000000 /dev/zero; echo; echo alive; exec sleep 60`,
    );
    expect((await operator.run(operationOf(spec), pm.context())).status).toBe("success");
    await Deno.writeTextFile(`${pm.folder}/go`, "");
    await expect.poll(async () => (await Deno.stat(`${disk}/apps/prod/order/slots/a/run/out`)).isDirectory).toBe(true);
    const [seen] = await Array.fromAsync(operator.observe());
    expect(seen).toMatchObject({ health: "healthy" });
    await expect.poll(async () => {
      const children = await new Deno.Command("ps", { args: ["-o", "args=", "-p", String(seen!.details.pid)] })
        .output();
      return new TextDecoder().decode(children.stdout).trim();
    }).toBe("sleep 60");
  });
});
