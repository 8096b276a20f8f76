import { describe, expect, it } from "vitest";
import { matchTriggers, whyNotFollowed, whyNotOrigin } from "./match_trigger.ts";
import type { Filtered } from "./match_trigger.ts";
import type { Ref } from "./git_ref.ts";

const branch = (name: string): Ref => ({ kind: "branch", name });
const tag = (name: string): Ref => ({ kind: "tag", name });
const triggers = [
  { on: "push", name: "stage", branch: "main", environment: "staging", start: "auto" },
  { on: "push", name: "hotfix", branch: "release/*", environment: "prod", paths: ["services/**"] },
  { on: "tag", name: "release", match: "v*", environment: "prod", start: "approve", applications: ["order"] },
  { on: "cron", name: "night", at: "0 3 * * *", environment: "night" },
  { on: "push", name: "again", environment: "staging", start: "manual" },
  { on: "push", name: "off", environment: "lab", enabled: false },
] satisfies Filtered[];
const fire = (ref: Ref, files?: string[]) =>
  Object.fromEntries(
    matchTriggers<Filtered>(triggers, { ref, defaultBranch: "main", files }).map((
      d,
    ) => [d.trigger.name, d.why ?? "fires"]),
  );

describe("a push", () => {
  it("fires the first matching trigger of each environment, and tells the others why not", () =>
    expect(fire(branch("main"))).toEqual({
      stage: "fires",
      hotfix: "branch main does not match release/*",
      again: "stage, which stands above it, is the one for staging",
      off: "it is switched off",
    }));
  it("fires by branch pattern", () => expect(fire(branch("release/1"), ["services/a"]).hotfix).toBe("fires"));
  it("does not fire when none of its files match", () =>
    expect(fire(branch("release/1"), ["docs/a"]).hotfix).toBe("nothing under services/** changed"));
  it("of a tag is looked at by tag triggers alone", () => expect(fire(tag("v1"))).toEqual({ release: "fires" }));
  it("of another tag fires nothing", () =>
    expect(fire(tag("nightly"))).toEqual({ release: "tag nightly does not match v*" }));
});

describe("a chosen version", () => {
  it("may come from anywhere without a filter, and from either place where both are named", () => {
    expect(whyNotOrigin({}, branch("topic"))).toBeUndefined();
    expect(whyNotOrigin({ branch: "main", match: "v*" }, tag("v1"))).toBeUndefined();
    expect(whyNotOrigin({ branch: "main", match: "v*" }, branch("main"))).toBeUndefined();
  });
  it("is refused by name otherwise", () => {
    expect(whyNotOrigin({ branch: "main" }, branch("dev"))).toBe("branch dev does not match main");
    expect(whyNotOrigin({ match: "v*" }, branch("dev"))).toBe("dev is of a branch, and it takes tag v* only");
    expect(whyNotOrigin({ branch: "main" }, tag("v1"))).toBe("v1 is of a tag, and it takes branch main only");
  });
});

describe("a repository follows", () => {
  const why = (ref: Ref, tagPattern: string | null = null, own: readonly Filtered[] = triggers) =>
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
