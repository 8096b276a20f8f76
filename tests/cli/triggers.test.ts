import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeApi, list, startFakeApi, uuid } from "./fake_api.ts";
import { runAgainst } from "./test_host.ts";

const NOW = "2026-01-01T00:00:00Z";
const run = (more: Record<string, unknown> = {}) => ({
  id: uuid(7),
  triggerId: uuid(5),
  trigger: "nightly",
  environment: "prod",
  event: "api",
  outcome: "not_fired",
  reason: { code: "trigger.not_fired", params: {}, text: "Nothing to do: prod runs v2 already." },
  deliveryId: null,
  versionId: uuid(1),
  version: "v2",
  deploymentId: null,
  causeDeploymentId: null,
  dueAt: NOW,
  dryRun: false,
  wanted: null,
  actor: "ada",
  createdAt: NOW,
  decidedAt: NOW,
  ...more,
});
const trigger = (id: number, name: string, more: Record<string, unknown> = {}) => ({
  id: uuid(id),
  repositoryId: null,
  repository: "https://git.example.com/shop.git",
  source: "file",
  name,
  on: "cron",
  environment: "prod",
  environmentId: uuid(3),
  start: "approve",
  rule: { at: "0 3 * * *" },
  enabled: true,
  nextDueAt: "2026-01-02T03:00:00Z",
  lastRun: run(),
  createdBy: "boreas.yaml",
  createdAt: NOW,
  updatedAt: NOW,
  ...more,
});

let api: FakeApi;
beforeEach(() => {
  api = startFakeApi();
  api.on(
    "GET /triggers",
    () => list(trigger(5, "nightly"), trigger(6, "twice"), trigger(8, "twice", { source: "api" })),
  );
});
afterEach(() => api.stop());
const call = (...argv: string[]) => runAgainst(api.url, argv);

describe("triggers", () => {
  it("lists each with its next tick and the last thing it said", async () => {
    const { code, out } = await call("triggers");
    expect(code).toBe(0);
    expect(out).toMatch(
      /nightly +cron +prod +approve +boreas\.yaml +2026-01-02T03:00:00Z .*Nothing to do: prod runs v2/,
    );
  });

  it("runs says why it did or did not fire", async () => {
    api.on(`GET /triggers/${uuid(5)}/runs`, () => list(run({ event: "cron" })));
    const { out } = await call("triggers", "runs", "nightly");
    expect(out).toMatch(/cron +v2 +not fired +Nothing to do: prod runs v2 already\./);
  });

  it("fire waits until it is decided, and ends with 1 and the reason when nothing was made", async () => {
    const waiting = { outcome: "waiting", reason: { code: "trigger.deciding", params: {}, text: "Being looked at." } };
    api.on(`POST /triggers/${uuid(5)}/fire`, () => run(waiting)).on(`GET /trigger-runs/${uuid(7)}`, () => run());
    const { code, out, err } = await call("triggers", "fire", "nightly", "--version", "v2", "--dry-run");
    expect([code, out]).toEqual([1, "Nothing to do: prod runs v2 already.\n"]);
    expect(err).toContain("Being looked at.");
    expect(api.calls.find((c) => c.method === "POST")!.body).toEqual({ version: "v2", dryRun: true });
  });

  it("fire ends with 0 and the deployment when it fired", async () => {
    const text = "Made a deployment of v2 to prod.";
    api.on(
      `POST /triggers/${uuid(5)}/fire`,
      () => run({ outcome: "fired", deploymentId: uuid(9), reason: { code: "trigger.fired", params: {}, text } }),
    );
    const { code, out } = await call("triggers", "fire", "nightly");
    expect([code, out]).toEqual([0, `${text} See it with: boreas status ${uuid(9)}\n`]);
  });

  it("disable switches one off", async () => {
    api.on(`PATCH /triggers/${uuid(5)}`, () => trigger(5, "nightly", { enabled: false }));
    expect((await call("triggers", "disable", "nightly")).out).toBe("nightly is off.\n");
    expect(api.calls.at(-1)!.body).toEqual({ enabled: false });
  });

  it("says what is missing, what is meant, and which of two is meant", async () => {
    expect((await call("triggers", "fire")).code).toBe(2);
    expect((await call("triggers", "fier")).err).toContain("there is list, fire, runs, enable, disable");
    expect((await call("triggers", "runs", "nightli")).err).toContain("did you mean nightly?");
    expect((await call("triggers", "runs", "twice")).err).toContain("2 triggers are called");
    expect((await call("triggers", "--dry-run")).err).toContain("--dry-run goes with `boreas triggers fire`");
  });
});
