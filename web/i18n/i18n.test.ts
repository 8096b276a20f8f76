import { describe, expect, it } from "vitest";
import { reason, REASON_CODES } from "../../domain/reason.ts";
import { DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import { sayInstants } from "../../domain/reason_words.ts";
import { TASK_STATES, TASK_TYPES } from "../../domain/task_state.ts";
import { en } from "./en.ts";
import { say, sayReason } from "./locale.ts";
import { reasonsZh } from "./reasons_zh.ts";
import { zh } from "./zh.ts";

const names = (template: string) => [...new Set(template.match(/\{\w+\}/g) ?? [])].sort();

describe("languages", () => {
  it("say the same things", () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  });

  it.each(Object.keys(en) as (keyof typeof en)[])("fill in the same names in %s", (key) => {
    expect(names(zh[key])).toEqual(names(en[key]));
  });

  it("have words for every state and type", () => {
    const wanted = [
      ...DEPLOYMENT_STATES.map((s) => `state.deployment.${s}`),
      ...TASK_STATES.map((s) => `state.task.${s}`),
      ...TASK_TYPES.map((s) => `state.type.${s}`),
    ];
    expect(wanted.filter((key) => !(key in en))).toEqual([]);
  });

  it("choose the form for one and for many", () => {
    expect(say("one thing|{count} things", { count: 1 })).toBe("one thing");
    expect(say("one thing|{count} things", { count: 3 })).toBe("3 things");
    expect(say("stays {as} it is", {})).toBe("stays {as} it is");
  });
});

describe("reasons in Chinese", () => {
  it.each(REASON_CODES)("%s has a sentence with the same parameters", (code) => {
    expect(reasonsZh[code], code).toBeDefined();
    expect(names(reasonsZh[code]!)).toEqual(names(reason(code).text));
  });

  it("fall back to the master's text for a code that is not known yet", () => {
    expect(sayReason({ code: "x.new", params: {}, text: "Something new." }, reasonsZh)).toBe("Something new.");
  });

  it("leave a pipe in a parameter alone", () => {
    const told = reason("task.failed", { detail: "a | b" });
    expect(sayReason(told, reasonsZh)).toBe("a | b");
  });
});

describe("what the master itself puts into a reason", () => {
  it("is said in Chinese, and a name that happens to be such a word is left alone", () => {
    const told = reason("deployment.rejected", { actor: "push", note: "no reason given" });
    expect(sayReason(told, reasonsZh)).toBe("已被 push 驳回：未说明原因");
  });

  it("is an instant that can be read, to the minute and by a clock that is named", () => {
    expect(sayInstants("until 2026-11-23T10:30:05.123Z.", "en")).toBe("until 2026-11-23 10:30 UTC.");
    expect(sayInstants("2026-11-23T10:30:05Z", "zh")).toBe("2026年11月23日 10:30（UTC）");
  });
});
