import { expect, it } from "vitest";
import type { Trigger } from "../../../protocol/http_api.ts";
import { inputOf, ruleOf } from "./trigger_input.ts";

it.each([
  { on: "push", branch: "release/*", paths: ["services/{order,user}/**", "docs/read me.md"], applications: ["a", "b"] },
  { on: "cron", at: "0 3 * * 1", tz: "Asia/Shanghai", missed: "run_once", version: "latest", match: "v*" },
  { on: "deployment", of: "staging", after: "30m", branch: "main" },
])("a rule that nobody changes in the form is saved as it was: $on", (rule) => {
  const input = inputOf({ name: "t", on: rule.on, rule } as unknown as Trigger, "UTC");
  expect(ruleOf(input)).toEqual(rule);
  expect(input.applications).not.toContain("\n"); // a field of one line would join the names
});
