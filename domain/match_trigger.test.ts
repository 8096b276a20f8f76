import { describe, expect, it } from "vitest";
import { matchTriggers, whyNotFollowed } from "./match_trigger.ts";
import type { Ref } from "./git_ref.ts";

const branch = (name: string): Ref => ({ kind: "branch", name });
const tag = (name: string): Ref => ({ kind: "tag", name });
const triggers = [
  { on: "push", branch: "main", environment: "staging", start: "auto" as const },
  { on: "push", branch: "release/*", environment: "prod", paths: ["services/**"] },
  { on: "tag", match: "v*", environment: "prod", start: "approve" as const, applications: ["order"] },
  { on: "cron", environment: "night" },
  { on: "push", environment: "staging", start: "manual" as const },
];
const fire = (ref: Ref, files?: string[]) => matchTriggers(triggers, { ref, defaultBranch: "main", files });

describe("a push", () => {
  it("fires the first matching trigger of each environment", () =>
    expect(fire(branch("main"))).toEqual([{ environment: "staging", start: "auto" }]));
  it("fires by branch pattern, manually unless told otherwise", () =>
    expect(fire(branch("release/1"), ["services/a"])).toEqual([{ environment: "prod", start: "manual" }]));
  it("does not fire when none of its files match", () => expect(fire(branch("release/1"), ["docs/a"])).toEqual([]));
  it("of a tag fires tag triggers with their applications", () =>
    expect(fire(tag("v1"))).toEqual([{ environment: "prod", start: "approve", applications: ["order"] }]));
  it("of another tag or branch fires nothing", () => {
    expect(fire(tag("nightly"))).toEqual([]);
    expect(fire(branch("main2"))).toEqual([]);
  });
});

describe("a repository follows", () => {
  const why = (ref: Ref, tagPattern: string | null = null, own = triggers) =>
    whyNotFollowed({ branch: "main", tagPattern, triggers: own }, ref);
  it("its branch and the branches of its triggers", () => {
    expect(why(branch("main"))).toBeUndefined();
    expect(why(branch("release/7"))).toBeUndefined();
    expect(why(branch("topic"))).toBe("Branch topic is not followed; this repository follows main.");
  });
  it("tags of its pattern and of its triggers, and says what to set when there is none", () => {
    expect(why(tag("v2"))).toBeUndefined();
    expect(why(tag("x"))).toContain("does not match v*");
    expect(why(tag("x"), "x*")).toBeUndefined();
    expect(why(tag("x"), null, [])).toContain("set the repository's tagPattern");
  });
});
