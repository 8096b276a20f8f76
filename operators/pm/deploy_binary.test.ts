import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTagged } from "../../host/process_table.ts";
import { freePorts } from "../../tests/helpers/free_ports.ts";
import { createPmFixture, operationOf, SERVER, serverCommand, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import { StopReason } from "../operator.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

type Binary = Extract<RenderedSpec["runtime"], { mode: "binary" }>;

async function serverSpec(over: Partial<RenderedSpec> = {}, runtime: Partial<Binary> = {}) {
  return specOf({ mode: "binary", artifact: "bin", exec: serverCommand, ports: { http: "auto" }, ...runtime }, {
    artifacts: { bin: await pm.freeze({ "server.ts": SERVER }) },
    health: [{ http: { port: "http", path: "/" }, every: "100ms" }],
    ...over,
  });
}
/** A program without a port: quick to start. */
async function shellSpec(script: string, over: Partial<RenderedSpec> = {}, runtime: Partial<Binary> = {}) {
  return specOf({ mode: "binary", artifact: "bin", exec: ["bin/app", "one"], ...runtime }, {
    artifacts: { bin: await pm.freeze({ "bin/app": { text: `#!/bin/sh\n${script}\n`, mode: 0o755 } }) },
    ...over,
  });
}
const ask = async (details: unknown) => {
  const { ports } = details as { ports: { http: number } };
  return await (await fetch(`http://127.0.0.1:${ports.http}/`)).json() as Record<string, string>;
};

describe("deploying a binary", () => {
  it("starts it with its environment, waits for its health, and points `current` at it", async () => {
    const spec = await serverSpec({
      env: { URL: "http://${env.TOKEN}@${env.HOSTED}:${port.http}", HOSTED: "here" },
      secrets: ["TOKEN"],
    });
    const context = pm.context({ secrets: { TOKEN: "s3cret" } });
    const outcome = await pm.operator.run(operationOf(spec), context);
    expect(outcome).toMatchObject({ status: "success", details: { version: "v1", keptPrevious: false } });
    const env = await ask(outcome.details);
    const { http } = (outcome.details as { ports: { http: number } }).ports;
    expect(env).toMatchObject({
      BOREAS_TASK_ID: context.taskId,
      BOREAS_ATTEMPT: "1",
      BOREAS_FENCE: "1",
      BOREAS_APP: "order",
      BOREAS_VERSION: "v1",
      BOREAS_COMMIT: "c0ffee",
      BOREAS_ENVIRONMENT: "prod",
      BOREAS_NODE: "m1",
      BOREAS_IS_ROLLBACK: "0",
      BOREAS_RELEASE_DIR: `${pm.app()}/releases/v1`,
      PORT: String(http),
      PORT_http: String(http),
      URL: `http://s3cret@here:${http}`,
      TOKEN: "s3cret",
    });
    expect(await Deno.readLink(`${pm.app()}/current`)).toBe("releases/v1");
    expect(context.text()).toContain("listening v1\n");
    expect((await Deno.stat(`${pm.app()}/slots/a/start.json`)).mode! & 0o777).toBe(0o600);
  });

  it("keeps the old one serving until the new one is healthy, then stops it", async () => {
    const first = await pm.operator.run(operationOf(await serverSpec()), pm.context());
    const context = pm.context();
    const during: string[] = [];
    const log = context.log;
    context.log = async (data, position) => {
      // Each line of the second deploy up to its health comes while the first still answers.
      if (String(data).includes("Started") || String(data).includes("Healthy")) {
        during.push((await ask(first.details)).BOREAS_VERSION!);
      }
      return log(data, position);
    };
    const second = await pm.operator.run(operationOf(await serverSpec(), { version: "v2", versionId: "v2" }), context);
    expect(second.status).toBe("success");
    expect(during).toEqual(["v1", "v1"]);
    expect((await ask(second.details)).BOREAS_VERSION).toBe("v2");
    await expect(ask(first.details)).rejects.toThrow();
    expect(await Deno.readLink(`${pm.app()}/current`)).toBe("releases/v2");
  });

  it("returns to the running release when the new one never gets healthy, with its last lines", async () => {
    await pm.operator.run(operationOf(await serverSpec()), pm.context());
    const good = await pm.operator.run(
      operationOf(await serverSpec(), { version: "v2", versionId: "v2" }),
      pm.context(),
    );
    const bad = await serverSpec({ env: { STATUS: "500" }, deadlineSeconds: 1 });
    const context = pm.context();
    const outcome = await pm.operator.run(operationOf(bad, { version: "v3", versionId: "v3" }), context);
    expect(outcome).toMatchObject({
      status: "failed",
      code: "health.deadline",
      lastLines: ["listening v3"],
      details: { keptPrevious: true, version: "v2", release: "v2" },
    });
    expect(outcome.message).toMatch(
      /^order v3 did not come up: not healthy within 1 s: GET http:\/\/127\.0\.0\.1:\d+\/ answered 500, expected 2xx\. v2 keeps running\.$/,
    );
    expect((await ask(good.details)).BOREAS_VERSION).toBe("v2");
    expect(await Deno.readLink(`${pm.app()}/current`)).toBe("releases/v2");
    expect(await findTagged([`BOREAS_TASK_ID=${context.taskId}`])).toEqual([]);
  });

  it("fails at once when the program ends before it is healthy, naming its exit code", async () => {
    const spec = await shellSpec("i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; exit 7", {
      health: [{ tcp: { port: 1 } }],
      deadlineSeconds: 600,
    });
    const outcome = await pm.operator.run(operationOf(spec), pm.context());
    expect(outcome).toMatchObject({
      status: "failed",
      code: "process.exited",
      details: { keptPrevious: false, pid: null },
    });
    expect(outcome.message).toBe(
      "order v1 did not come up: it ended (with code 7) before it was healthy. Nothing ran before it.",
    );
    expect(outcome.lastLines).toHaveLength(200);
    expect(outcome.lastLines!.at(-1)).toBe("line 299");
  });

  it("changes nothing when the very same release runs already", async () => {
    const spec = await serverSpec();
    const first = await pm.operator.run(operationOf(spec), pm.context());
    const second = await pm.operator.run(operationOf(spec), pm.context());
    expect(second).toMatchObject({ status: "success", details: first.details! });
    expect(second.message).toContain("runs already");
    const changed = await pm.operator.run(operationOf({ ...spec, env: { A: "1" } }), pm.context());
    expect((changed.details as { pid: number }).pid).not.toBe((first.details as { pid: number }).pid);
  });

  it("refuses an older generation, and the newer stays", async () => {
    const spec = await serverSpec();
    const newer = await pm.operator.run(
      operationOf(spec, { version: "v2", versionId: "v2", generation: 1_000_007 }),
      pm.context(),
    );
    const outcome = await pm.operator.run(operationOf(spec, { generation: 1_000_006 }), pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "generation.older" });
    expect((await ask(newer.details)).BOREAS_VERSION).toBe("v2");
  });

  it("serialises two deploys of one application, and the older never ends on top", async () => {
    const spec = await serverSpec();
    const [older, newer] = [
      operationOf(spec, { generation: 2_000_001 }),
      operationOf(spec, { version: "v2", versionId: "v2", generation: 2_000_002 }),
    ];
    const [second, first] = await Promise.all([
      pm.operator.run(newer, pm.context()),
      pm.operator.run(older, pm.context()),
    ]);
    expect([second.status, first.code]).toEqual(["success", "generation.older"]);
  });

  it("runs config files, placeholders in arguments, and keeps old releases as many as asked", async () => {
    const bundle = await pm.freeze({ "conf/app.toml": "name = 1\n" });
    const spec = await shellSpec('echo "args: $@"; cat etc/app.toml; exec sleep 60', {
      bundle,
      files: [{ from: "conf/app.toml", to: "etc/app.toml", mode: "0640" }],
      env: { NAME: "x" },
      keepReleases: 2,
    }, { exec: ["bin/app", "${version}", "${os}-${arch}", "${env.NAME}", "$(touch pwn); `id`"] });
    const context = pm.context();
    for (const version of ["v1", "v2", "v3", "v4"]) {
      const outcome = await pm.operator.run(
        operationOf(spec, { version, versionId: version }),
        version === "v4" ? context : pm.context(),
      );
      expect(outcome.status).toBe("success");
    }
    expect(context.text()).toMatch(/args: v4 linux-(amd|arm)64 x \$\(touch pwn\); `id`\nname = 1\n/);
    expect((await Deno.stat(`${pm.app()}/current/etc/app.toml`)).mode! & 0o777).toBe(0o640);
    expect([...Deno.readDirSync(`${pm.app()}/releases`)].map((entry) => entry.name).sort()).toEqual(["v3", "v4"]);
  });

  it("cancels: the new program and its double-forked child are gone before it says so, the old one runs on", async () => {
    const good = await pm.operator.run(operationOf(await serverSpec()), pm.context());
    const spec = await shellSpec(
      "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &); echo up; while :; do sleep 1; done",
      {
        health: [{ tcp: { port: 1 } }],
        deadlineSeconds: 600,
      },
    );
    const context = pm.context();
    const log = context.log;
    context.log = async (data, position) => {
      await log(data, position);
      if (context.text().includes("up\n")) context.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0.3));
    };
    const outcome = await pm.operator.run(operationOf(spec, { version: "v2", versionId: "v2" }), context);
    expect(outcome).toMatchObject({ status: "cancelled", code: "task.cancelled" });
    expect(await findTagged([`BOREAS_TASK_ID=${context.taskId}`])).toEqual([]);
    expect((await ask(good.details)).BOREAS_VERSION).toBe("v1");
  });

  it("holds the program still while the lease is in doubt, and goes on after", async () => {
    const trusted = Promise.withResolvers<void>();
    const spec = await shellSpec("echo up; exec sleep 60", { minTimeSeconds: 1 });
    const context = pm.context();
    const pid = Promise.withResolvers<number>();
    const log = context.log;
    context.log = async (data, position) => {
      await log(data, position);
      const started = /pid (\d+)/.exec(String(data))?.[1];
      if (!started) return;
      context.trusted = () => trusted.promise;
      pid.resolve(Number(started));
    };
    const running = pm.operator.run(operationOf(spec), context);
    const state = async () => {
      const stat = await new Deno.Command("ps", { args: ["-o", "stat=", "-p", String(await pid.promise)] }).output();
      return new TextDecoder().decode(stat.stdout)[0];
    };
    await pid.promise;
    await expect.poll(async () => (await pm.operator.suspend!(context.taskId), await state())).toBe("T");
    trusted.resolve();
    await pm.operator.resume!(context.taskId);
    await expect.poll(state).toBe("S");
    expect((await running).status).toBe("success");
  });
});

describe("fixed ports", () => {
  it("stops the old one first, says so, and brings it back when the new one fails", async () => {
    const [http] = freePorts(1) as [number];
    const first = await pm.operator.run(operationOf(await serverSpec({}, { ports: { http } })), pm.context());
    expect((await ask(first.details)).BOREAS_VERSION).toBe("v1");
    const context = pm.context();
    const bad = await serverSpec({ env: { STATUS: "500" }, deadlineSeconds: 1 }, { ports: { http } });
    const outcome = await pm.operator.run(operationOf(bad, { version: "v2", versionId: "v2" }), context);
    expect(outcome).toMatchObject({ status: "failed", code: "health.deadline", details: { keptPrevious: true } });
    expect(outcome.message).toContain("v1 is started again.");
    expect(context.text()).toContain(`v1 has to stop first: port ${http} is fixed`);
    await expect.poll(() => ask(first.details).then((env) => env.BOREAS_VERSION, () => "down")).toBe(
      "v1",
    );
    const good = await serverSpec({}, { ports: { http } });
    expect((await pm.operator.run(operationOf(good, { version: "v3", versionId: "v3" }), pm.context())).status).toBe(
      "success",
    );
    expect((await ask(first.details)).BOREAS_VERSION).toBe("v3");
  });

  it("names a port that somebody else holds, and who", async () => {
    const other = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = other.addr as Deno.NetAddr;
    const outcome = await pm.operator.run(operationOf(await serverSpec({}, { ports: { http: port } })), pm.context());
    other.close();
    expect(outcome).toMatchObject({ status: "failed", code: "port.taken", details: { port } });
    expect(outcome.message).toMatch(
      new RegExp(
        `^Port ${port} \\(http\\) of order is taken by (deno.* \\(pid ${Deno.pid}\\)|another program); stop that`,
      ),
    );
  });
});
