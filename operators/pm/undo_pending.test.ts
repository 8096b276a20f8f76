import { afterEach, beforeEach, expect, it } from "vitest";
import { createTestRouter } from "../../tests/helpers/docker_world.ts";
import { clock, createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import type { AppRecord } from "./app_record.ts";
import { PmFailure } from "./failure.ts";
import type { Router } from "./router.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

const specFor = async (app: string) =>
  specOf({ mode: "binary", artifact: "bin", exec: ["./app"], ports: { http: "auto" } }, {
    artifacts: { bin: await pm.freeze({ app: { text: `#!/bin/sh\n${app}\n`, mode: 0o755 } }) },
    route: { mode: "proxy", listen: 80, port: "http", host: null, drainSeconds: 1 },
  });
const readRecord = async (): Promise<AppRecord> => JSON.parse(await Deno.readTextFile(`${pm.app()}/release.json`));

it("what could not be taken back because the proxy was away is taken back once it is there again", async () => {
  const { router, told } = createTestRouter();
  let isAway = false;
  const flaky: Router = {
    ...router,
    switchTo(route, backend) {
      if (isAway) throw new PmFailure("proxy.away", "The proxy does not answer.");
      return router.switchTo(route, backend);
    },
  };
  const soon = { ...clock, after: (ms: number, call: () => void) => clock.after(ms === 60_000 ? 300 : ms, call) };
  const operator = pm.createOperator({ router: flaky, clock: soon });
  expect(await operator.run(operationOf(await specFor("exec sleep 60")), pm.context())).toMatchObject({
    status: "success",
  });
  isAway = true;
  const bad = operationOf(await specFor("exit 5"), { version: "v2", versionId: "v2" });
  expect(await operator.run(bad, pm.context())).toMatchObject({ status: "failed" });
  expect((await readRecord()).pending).not.toBeNull();
  const logged = () => pm.logs.filter(({ message }) => message.includes("could not be cleared")).length;
  await expect.poll(logged).toBeGreaterThan(0);
  isAway = false;
  await expect.poll(async () => (await readRecord()).pending).toBeNull();
  const { current } = await readRecord();
  expect(current).toMatchObject({ version: "v1" });
  expect(told).toContain(`switch 80 to ${current!.ports.http}`);
});

it("an application that is removed lets go of the port that only an interrupted deploy had", async () => {
  const { router, routes } = createTestRouter();
  const operator = pm.createOperator({ router });
  expect(await operator.run(operationOf(await specFor("exec sleep 60")), pm.context())).toMatchObject({
    status: "success",
  });
  expect([...routes.keys()]).toEqual(["80 *"]);
  const { current, ...record } = await readRecord();
  const { taskId, fence, slot, ports } = current!;
  const to = {
    route: { app: "order", environment: "prod", listen: 80, host: null },
    backend: { host: "127.0.0.1", port: ports.http! },
  };
  const pending = { taskId, fence, slot: slot!, stoppedOld: false, to };
  await Deno.writeTextFile(`${pm.app()}/release.json`, JSON.stringify({ ...record, current: null, pending }));
  expect(await operator.run(operationOf(null), pm.context())).toMatchObject({ status: "success" });
  expect([...routes.keys()]).toEqual([]);
});

it("scripts that take an application over take back first what an interrupted deploy had begun", async () => {
  const { router, routes } = createTestRouter();
  const operator = pm.createOperator({ router });
  await operator.run(operationOf(await specFor("exec sleep 60")), pm.context());
  const record = await readRecord();
  const from = {
    route: { app: "order", environment: "prod", listen: 80, host: null },
    backend: { host: "127.0.0.1", port: record.current!.ports.http! },
  };
  const to = { ...from, backend: { host: "127.0.0.1", port: 1 } };
  const pending = { taskId: "gone", fence: 1, slot: "b", stoppedOld: false, from, to };
  await Deno.writeTextFile(`${pm.app()}/release.json`, JSON.stringify({ ...record, pending }));
  const bundle = await pm.freeze({ "deploy.sh": "exit 0\n" });
  const spec = specOf({ mode: "script", deploy: "deploy.sh" }, { bundle });
  const version = { version: "v2", versionId: "v2" };
  expect(await operator.run(operationOf(spec, version), pm.context())).toMatchObject({ status: "success" });
  expect(await readRecord()).toMatchObject({ pending: null, current: { version: "v2", slot: null } });
  expect([...routes.keys()]).toEqual([]);
});
