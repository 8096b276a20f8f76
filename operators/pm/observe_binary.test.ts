import { afterEach, beforeEach, expect, it } from "vitest";
import { createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import type { Observed } from "../operator.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

async function deployed(): Promise<Observed> {
  const bin = await pm.freeze({ "bin/app": { text: "#!/bin/sh\nexec sleep 1000\n", mode: 0o755 } });
  const spec = specOf({ mode: "binary", artifact: "bin", exec: ["bin/app"], restart: { policy: "never" } }, {
    artifacts: { bin },
    env: { LEVEL: "info" },
    secrets: ["TOKEN"],
  });
  const outcome = await pm.operator.run(operationOf(spec), pm.context({ secrets: { TOKEN: "s3cret" } }));
  expect(outcome.status).toBe("success");
  return await observe();
}
const observe = async () => (await Array.fromAsync(pm.operator.observe()))[0]!;
const pathsOf = ({ differences }: Observed) => differences!.map(({ path }) => path);

it("tells a binary's process, since when it runs, and that nothing differs", async () => {
  const seen = await deployed();
  const { pid } = seen.details as { pid: number };
  expect(seen).toMatchObject({
    health: "healthy",
    differences: [],
    resources: [{ kind: "process", name: `pid ${pid}`, state: "running", restarts: 0, details: { pid } }],
  });
  expect(Math.abs(Date.now() - Date.parse(seen.resources[0]!.startedAt!))).toBeLessThan(60_000);
});

it("names a file of the release that somebody changed or removed, by its hash", async () => {
  await deployed();
  const file = `${pm.app()}/releases/v1/bin/app`;
  await Deno.writeTextFile(file, "#!/bin/sh\nexec sleep 1001\n");
  const [difference] = (await observe()).differences!;
  expect(difference!.path).toBe("files/bin/app");
  expect(difference!.expected).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(difference!.actual).not.toBe(difference!.expected);
  await Deno.remove(file);
  expect((await observe()).differences).toMatchObject([{ path: "files/bin/app", actual: "missing" }]);
});

it("names a link that leads elsewhere, changed arguments, and variables without their values", async () => {
  await deployed();
  await Deno.remove(`${pm.app()}/current`);
  await Deno.symlink("releases/v0", `${pm.app()}/current`);
  const path = `${pm.app()}/slots/a/start.json`;
  const start = JSON.parse(await Deno.readTextFile(path));
  start.command.push("--verbose");
  start.env.TOKEN = "0ther";
  delete start.env.LEVEL;
  await Deno.writeTextFile(path, JSON.stringify(start));
  const seen = await observe();
  expect(pathsOf(seen).sort()).toEqual(["current", "env.LEVEL", "env.TOKEN", "exec"]);
  expect(JSON.stringify(seen)).not.toMatch(/s3cret|0ther/);
});

it("says that a program is gone, and that it stays so", async () => {
  const { pid } = (await deployed()).details as { pid: number };
  Deno.kill(pid, "SIGKILL");
  await expect.poll(observe).toMatchObject({
    health: "missing",
    resources: [{ state: "exited", startedAt: null }],
    differences: [{ path: "process", expected: "running", actual: "exited" }],
  });
});
