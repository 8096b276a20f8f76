import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { printLog } from "../../cli/print_log.ts";
import { type FakeApi, startFakeApi } from "./fake_api.ts";
import { runAgainst } from "./test_host.ts";

const ID = "00000000-0000-7000-8000-0000000000a1";
const PROD = "00000000-0000-7000-8000-0000000000e1";
const at = "2026-01-02T03:04:05.000Z";
const application = {
  id: ID,
  name: "order",
  description: "",
  repository: null,
  type: "microservice",
  config: {},
  environments: [],
};
const item = {
  ...{ applicationId: ID, application: "order", environmentId: PROD, target: "m1", versionId: null, version: "v2" },
  ...{ health: "degraded", sync: "out_of_sync", details: {}, updatedAt: at, observedAt: at, healthSince: at },
  ...{
    agent: { id: ID, name: "m1", connected: true, lastSeenAt: at },
    lastHealth: "degraded",
    lastSync: "out_of_sync",
  },
  ...{ observedVersion: "v2", driftMode: "report", healing: null },
  resources: [{ kind: "process", name: "pid 7", state: "running", startedAt: at, restarts: 2, details: {} }],
  differences: [{ path: "env.LOG_LEVEL", expected: "info", actual: "debug" }],
  drift: [{ path: "env.LOG_LEVEL", expected: "info", actual: "debug" }],
};
const page = (...items: unknown[]) => ({ items, nextCursor: null });

describe("the running thing, from a command line", () => {
  let api: FakeApi;
  beforeEach(() => {
    api = startFakeApi()
      .on("GET /applications", () => page({ ...application, repositoryId: null, createdAt: at, updatedAt: at }))
      .on(`GET /applications/${ID}/environments`, () => page({ environmentId: PROD, environment: "prod", config: {} }))
      .on(`GET /applications/${ID}/environments/${PROD}/resources`, () => page(item));
  });
  afterEach(() => api.stop());

  it("status --app names processes by machine, and says what differs", async () => {
    const { code, out, err } = await runAgainst(api.url, ["status", "--app", "order"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/prod +m1 +v2 +degraded +out of sync .*pid 7 running, started 60 s ago, 2 restarts/);
    expect(out).toMatch(/m1 +env\.LOG_LEVEL +info +debug +/);
  });

  it("logs --app prints what the application prints, on the machine that was named", async () => {
    api.on(`GET /applications/${ID}/environments/${PROD}/logs`, () => new Response("one\ntwo\n"));
    const { code, out } = await runAgainst(api.url, ["logs", "-f", "--app", "order", "--target", "m1", "--tail", "2"]);
    expect([code, out]).toEqual([0, "one\ntwo\n"]);
    const json = await runAgainst(api.url, ["logs", "-f", "--app", "order", "--target", "m1", "--tail", "2", "--json"]);
    expect(json.out).toBe('{"encoding":"utf8","data":"one\\ntwo\\n"}\n');
    expect(Object.fromEntries(api.calls.at(-1)!.query)).toEqual({ target: "m1", tail: "2", follow: "true" });
  });

  it("logs --app prints as JSON text what is text, wherever the network cuts it", async () => {
    const bytes = new TextEncoder().encode("服务已启动 🚀\n");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const pieces = [bytes.slice(0, cut), bytes.slice(cut)];
      const lines: string[] = [];
      const host = { write: (line: string) => void lines.push(line) };
      await printLog(
        { host, json: true } as never,
        (async function* () {
          yield* pieces;
        })(),
      );
      const read = lines.map((line) => JSON.parse(line) as { encoding: string; data: string });
      expect(read.every((one) => one.encoding === "utf8")).toBe(true);
      expect(read.map((one) => one.data).join("")).toBe("服务已启动 🚀\n");
    }
  });

  it("logs of nothing says what to name", async () => {
    const { code, err } = await runAgainst(api.url, ["logs"]);
    expect(code).not.toBe(0);
    expect(err).toContain("--app");
  });
});
