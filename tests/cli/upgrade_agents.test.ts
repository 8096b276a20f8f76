import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeApi, list, startFakeApi, uuid } from "./fake_api.ts";
import { runAgainst } from "./test_host.ts";

let api: FakeApi;
beforeEach(() => {
  api = startFakeApi();
  api.on(
    "GET /agents",
    () => list({ id: uuid(1), name: "node-1", ...machine }, { id: uuid(2), name: "node-2", ...machine }),
  );
});
afterEach(() => api.stop());
const run = (...argv: string[]) => runAgainst(api.url, ["agents", "upgrade", ...argv]);
const why = (text: string) => ({ code: "upgrade.waiting", params: {}, text });
const at = "2026-01-02T03:04:05.000Z";
const machine = {
  kind: "pm",
  status: "connected",
  reason: why("Connected."),
  embedded: false,
  labels: {},
  environments: [],
  facts: {},
  versions: {},
  slots: 8,
  busySlots: 0,
  cordoned: false,
  lastSeenAt: at,
  createdAt: at,
};
const upgrade = (status: string, states: [string, string][], text = "") => ({
  id: uuid(9),
  version: "1.1.0",
  downgrade: false,
  batch: 5,
  status,
  reason: why(text),
  agents: states.map(([name, state], n) => ({
    agentId: uuid(n + 1),
    name,
    state,
    reason: why(`${state}.`),
    fromVersion: "1.0.0",
    askedAt: null,
    updatedAt: at,
  })),
  createdBy: "admin",
  createdAt: at,
  completedAt: null,
});

it("asks for the machines by their names, and follows them to the end", async () => {
  api.on("POST /agents/upgrade", () => upgrade("running", [["node-1", "asked"], ["node-2", "waiting"]]));
  const answers = [
    upgrade("running", [["node-1", "succeeded"], ["node-2", "asked"]]),
    upgrade("failed", [["node-1", "succeeded"], ["node-2", "failed"]], "Stopped at node-2: failed."),
  ];
  api.on(`GET /agent-upgrades/${uuid(9)}`, () => answers.shift());
  const { code, out, err } = await run("node-1", "node-2", "--watch", "--batch", "3");
  expect(api.calls.find((c) => c.method === "POST")?.body).toEqual({
    ids: [uuid(1), uuid(2)],
    downgrade: false,
    batch: 3,
  });
  expect(err.split("\n")).toEqual([
    "node-1  asked  asked.",
    "node-2  waiting  waiting.",
    "node-1  succeeded  succeeded.",
    "node-2  asked  asked.",
    "node-2  failed  failed.",
    "",
  ]);
  expect([code, out]).toEqual([1, "failed: Stopped at node-2: failed.\n"]);
});

it("wants to be told which machines, and cancels by the id that it printed", async () => {
  expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining("or --all") });
  expect(await run("node-1", "--all")).toMatchObject({ code: 2 });
  api.on("POST /agents/upgrade", () => upgrade("running", [["node-1", "asked"]]));
  const begun = await run("--labels", "role=order");
  expect(begun.out).toContain(`boreas agents upgrade --cancel ${uuid(9)}`);
  expect(api.calls.at(-1)?.body).toEqual({ labels: { role: "order" }, downgrade: false });
  api.on(`POST /agent-upgrades/${uuid(9)}/cancel`, () => upgrade("cancelled", [], "Cancelled by admin."));
  expect(await run("--cancel", uuid(9))).toMatchObject({ code: 0, out: "Cancelled by admin.\n" });
});
