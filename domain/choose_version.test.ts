import { describe, expect, it } from "vitest";
import { chooseVersion, parseSelector } from "./choose_version.ts";
import type { Candidate } from "./choose_version.ts";
import { judgeSoak } from "./judge_soak.ts";
import type { Stay } from "./judge_soak.ts";

const NOW = 1_000_000;
const stay = (version: string, more: Partial<Stay> = {}): Stay => ({
  environment: "staging",
  version,
  reverted: null,
  status: "completed",
  completedAt: NOW - 3600,
  applications: ["order"],
  replacedBy: null,
  places: [{ application: "order", target: "m1", health: "healthy", since: NOW - 3600 }],
  ...more,
});
const candidate = (version: string, more: Partial<Candidate> = {}): Candidate => ({
  id: `id-${version}`,
  version,
  ref: version.startsWith("v") ? { kind: "tag", name: version } : { kind: "branch", name: version.split("-")[0]! },
  reverted: null,
  stay: null,
  ...more,
});
const choose = (text: string, candidates: Candidate[], rule = {}) =>
  chooseVersion(parseSelector(text)!, rule, candidates, NOW);

describe("latest", () => {
  const three = [candidate("main-3", { reverted: "bad." }), candidate("dev-2"), candidate("main-1")];
  it("is the newest that is not marked revert", () => expect(choose("latest", three)).toEqual({ id: "id-dev-2" }));
  it("is looked for among those that the filters take", () => {
    expect(choose("latest", three, { branch: "main" })).toEqual({ id: "id-main-1" });
    expect(choose("latest", three, { match: "v*" })).toEqual({ why: "there is no version of tag v* yet" });
  });
  it("is none that was only posted where a branch or tag is asked for", () => {
    const posted = [candidate("main-4", { ref: null })];
    expect(choose("latest", posted)).toEqual({ id: "id-main-4" });
    expect(choose("latest", posted, { branch: "main" })).toEqual({ why: "there is no version of branch main yet" });
    expect(choose("main-4", posted, { branch: "main" })).toEqual({
      why: "it was posted and never seen at the remote, and the trigger takes branch main only",
    });
  });
  it("says so when all are bad, or none is there", () => {
    expect(choose("latest", [three[0]!])).toEqual({ why: "version main-3 is marked revert: bad" });
    expect(choose("latest", [])).toEqual({ why: "there is no version yet" });
  });
});

describe("latest-verified", () => {
  const from = (...candidates: Candidate[]) => choose("latest-verified:staging", candidates, { after: "30m" });
  it("is the newest that has stayed well there for its time", () =>
    expect(from(candidate("v3"), candidate("v2", { stay: stay("v2") }), candidate("v1"))).toEqual({ id: "id-v2" }));
  it("says of the newest that was there why it is not", () => {
    const young = candidate("v3", { stay: stay("v3", { completedAt: NOW - 60 }) });
    expect(from(young, candidate("v2", { stay: stay("v2", { status: "rolled_back" }) }))).toEqual({
      why: "v3 has to stay well on staging until 1970-01-12T14:15:40Z",
    });
    expect(from(candidate("v3"))).toEqual({ why: "no version has been deployed to staging" });
  });
});

describe("a name", () => {
  it("is the version that bears it, of one repository", () => {
    expect(choose("v1", [candidate("v1")])).toEqual({ id: "id-v1" });
    expect(choose("v1", [candidate("v1"), candidate("v1")])).toHaveProperty("why");
    expect(choose("v1", [])).toEqual({ why: "there is no version v1" });
    expect(choose("v1", [candidate("v1")], { branch: "main" })).toEqual({
      why: "v1 is of a tag, and it takes branch main only",
    });
  });
  it("may be anything but half a selector", () => {
    expect(parseSelector("latest-verified:")).toBeUndefined();
    expect(parseSelector("latest-verified")).toBeUndefined();
    expect(parseSelector("")).toBeUndefined();
  });
});

describe("a soak", () => {
  const judge = (more: Partial<Stay>, after = 1800) => judgeSoak(stay("v1", more), after, NOW);
  it("is over when the version completed, and was well, for so long", () => {
    expect(judge({})).toEqual({ kind: "well" });
    expect(judge({ completedAt: NOW - 1799 }).kind).toBe("wait");
    const since = (
      seconds: number,
    ) => [{ application: "order", target: "m1", health: "healthy", since: NOW - seconds }];
    expect(judge({ places: since(100) })).toMatchObject({ kind: "wait", until: NOW + 1700 });
  });
  it("waits while it is not well, and names the place", () =>
    expect(judge({ places: [{ application: "order", target: "m1", health: "degraded", since: null }] })).toMatchObject({
      kind: "wait",
      why: "order is degraded on m1 of staging; the time begins anew when it is well",
    }));
  it.each<[string, Partial<Stay>, RegExp]>([
    ["rolled back", { status: "rolled_back" }, /ended as rolled back/],
    ["marked as bad", { reverted: "It lost orders." }, /marked revert: It lost orders$/],
    ["replaced", { replacedBy: "v2" }, /v2 has gone to staging since v1/],
    ["gone", { places: [] }, /order does not run v1 on staging any more/],
    ["never well for long enough", {
      completedAt: NOW - 8 * 86_400,
      places: [
        { application: "order", target: "-", health: "degraded", since: NOW },
      ],
    }, /did not stay well on staging for long enough within 7 days/],
  ])("comes to nothing for a version that is %s", (_what, more, why) => {
    const soak = judge(more);
    expect(soak.kind).toBe("no");
    expect((soak as { why: string }).why).toMatch(why);
  });
});
