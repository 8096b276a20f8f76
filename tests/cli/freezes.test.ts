import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deployment, environment, type FakeApi, list, startFakeApi, task, uuid } from "./fake_api.ts";
import { runAgainst } from "./test_host.ts";

let api: FakeApi;
beforeEach(() => {
  api = startFakeApi();
  api.on("GET /environments", () => list(environment(2, "staging"), environment(3, "prod")));
});
afterEach(() => api.stop());
const run = (...argv: string[]) => runAgainst(api.url, argv);
const sent = () => api.calls.filter((c) => c.method === "POST").map((c) => ({ path: c.path, body: c.body }));

const frozen = {
  id: uuid(7),
  source: "person",
  environmentId: uuid(3),
  environment: "prod",
  applications: null,
  cron: null,
  tz: null,
  for: null,
  isActive: true,
  from: "2026-11-22T10:00:00Z",
  until: "2026-11-22T14:00:00Z",
  reason: "Stocktaking",
  overrideRole: null,
  createdBy: "lead",
};
const weekend = {
  ...frozen,
  id: null,
  source: "policy",
  cron: "0 18 * * 5",
  tz: "UTC",
  for: "62h",
  isActive: false,
  reason: "The policy of prod.",
  overrideRole: "incident",
  createdBy: null,
};

describe("freeze", () => {
  it("freezes until an instant, lists what is frozen and why, and ends one with a reason", async () => {
    api.on("POST /freezes", () => frozen);
    api.on("GET /freezes", () => ({ items: [frozen, weekend] }));
    api.on(`POST /freezes/${uuid(7)}/end`, () => ({}));
    const at = "2026-11-22T14:00:00.000Z";
    const made = await run(
      "freeze",
      "prod",
      "--until",
      at,
      "--reason",
      "Stocktaking",
      "--role",
      "lead",
      "--apps",
      "a,b",
    );
    expect([made.code, made.out]).toEqual([0, expect.stringContaining("prod is frozen until 2026-11-22T14:00:00Z")]);
    const listed = await run("freeze");
    expect(listed.out).toMatch(/prod .*frozen .*admin .*lead: Stocktaking/);
    expect(listed.out).toMatch(/incident .*The policy of prod\. 0 18 \* \* 5 for 62h, UTC/);
    expect((await run("freeze", "end", uuid(7).slice(0, 13), "--reason", "Counted")).code).toBe(0);
    expect(sent()).toEqual([
      {
        path: "/freezes",
        body: {
          environmentId: uuid(3),
          until: at,
          reason: "Stocktaking",
          overrideRole: "lead",
          applications: ["a", "b"],
        },
      },
      { path: `/freezes/${uuid(7)}/end`, body: { reason: "Counted" } },
    ]);
  });
  it("says what is missing", async () => {
    expect((await run("freeze", "prod", "--until", "4h")).err).toContain("Say why");
    expect((await run("freeze", "prod", "--reason", "x")).err).toContain("Say until when");
    expect((await run("freeze", "prod", "--reason", "x", "--until", "soon")).err).toContain("neither a duration");
    expect(sent()).toEqual([]);
  });
});

describe("decide", () => {
  const id = uuid(900);
  const asks = (...names: string[]) =>
    deployment(
      "paused",
      names.map((name, i) => task(i + 1, name, { status: "failed" }, "Broken.")),
      "Paused because it failed.",
    );
  it("answers about the task that failed; of several it wants to know which", async () => {
    let now = asks("m1");
    api.on("GET /deployments", () => list(now));
    api.on(`GET /deployments/${id}`, () => now);
    api.on(`POST /tasks/${uuid(1)}/decide`, () => ({}));
    api.on(`POST /tasks/${uuid(2)}/decide`, () => ({}));
    expect((await run("decide", id, "ignore", "--note", "Known.")).code).toBe(0);
    now = asks("m1", "m2");
    const unclear = await run("decide", id, "retry");
    expect([unclear.code, unclear.err]).toEqual([1, expect.stringContaining("m1, m2 with --task NAME")]);
    expect((await run("decide", id, "exclude", "--task", "m2")).code).toBe(0);
    expect((await run("decide", id, "perhaps")).code).toBe(2);
    expect(sent()).toEqual([
      { path: `/tasks/${uuid(1)}/decide`, body: { choice: "ignore", note: "Known." } },
      { path: `/tasks/${uuid(2)}/decide`, body: { choice: "exclude" } },
    ]);
  });
});

it("start passes a freeze with a reason", async () => {
  const id = uuid(900);
  api.on(`GET /deployments/${id}`, () => deployment("running"));
  api.on(`POST /deployments/${id}/start`, () => ({}));
  expect((await run("start", id, "--override", "Orders are lost.")).code).toBe(0);
  expect(sent()).toEqual([{ path: `/deployments/${id}/start`, body: { override: { reason: "Orders are lost." } } }]);
});
