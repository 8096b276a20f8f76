/**
 * An agent that dies in the middle of a deploy, before each single thing that it does to the machine in turn. The agent
 * after it takes the same attempt up again: it must come to the same end, whatever was done by then, and never take the
 * end of a run before, or one that the agents themselves brought about, for the new program's own.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMachine } from "../../host/machine.ts";
import { findTagged } from "../../host/process_table.ts";
import { createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture, TestContext } from "../../tests/helpers/pm_fixture.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Machine } from "./machine.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

const CHANGES = new Set(["writeText", "rename", "remove", "makeFolder", "pointLink", "copy", "unpack", "startProcess"]);

/** An agent that dies before its change number `dieAt`; resolves with what it was about to do, or undefined if it ended first. */
async function dies(
  operation: Operation,
  context: TestContext,
  dieAt: number,
  seen = (_number: number, _what: string) => {},
): Promise<string | undefined> {
  const death = Promise.withResolvers<string>();
  let changes = 0;
  const step = (what: string) => {
    seen(++changes, what);
    if (changes < dieAt) return undefined;
    death.resolve(what);
    return new Promise<never>(() => {}); // nothing follows any more
  };
  const mortal = <T extends object>(of: T): T =>
    new Proxy(of, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (name === "files") return mortal(member as Machine["files"]);
        if (typeof member !== "function") return member;
        const call = member.bind(target);
        if (!CHANGES.has(String(name))) return call;
        return (...args: unknown[]) => step(`${String(name)} ${JSON.stringify(args[0])}`) ?? call(...args);
      },
    });
  const machine: Machine = mortal({ ...createMachine(), units: undefined });
  const { save } = context;
  context.save = (state) => step(`save ${JSON.stringify(state)}`) ?? save(state);
  const operator = pm.createOperator({ machine });
  const ended = operator.run(operation, context);
  const what = await Promise.race([death.promise, ended.then(() => undefined)]);
  context.save = save;
  void operator.stop!(); // it watches nothing any more
  return what;
}
/** An agent that lives: takes the attempt up, and ends once it is over. */
async function runs(operation: Operation, context: TestContext): Promise<OutcomeInput> {
  const operator = pm.createOperator();
  const outcome = await operator.run(operation, context);
  await operator.stop!();
  return outcome;
}

const program = async (script: string, deadlineSeconds = 20) =>
  specOf({ mode: "binary", artifact: "bin", exec: ["./app"], stop: { grace: "2s" } }, {
    artifacts: { bin: await pm.freeze({ app: { text: `#!/bin/sh\n${script}\n`, mode: 0o755 } }) },
    deadlineSeconds,
  });
const named = (version: string) => ({ version, versionId: version });
const taggedBy = (context: TestContext) => findTagged([`BOREAS_TASK_ID=${context.taskId}`]);

describe("an agent that dies in the middle of a deploy", () => {
  it("is followed by one that brings the release up, wherever it died", async () => {
    // Both slots have had a program that the agent ended by TERM.
    const spec = await program("exec sleep 600");
    for (const version of ["v1", "v2"]) {
      expect(await runs(operationOf(spec, named(version)), pm.context())).toMatchObject({
        status: "success",
      });
    }
    let old = pm.context();
    const met: string[] = [];
    let from = 0; // what comes before has touched nothing that runs
    const isOfFiles = (number: number, what: string) => void (from ||= what.includes("/slots/") ? number : 0);
    await dies(operationOf(spec, named("v3")), old, Infinity, isOfFiles);
    for (let dieAt = from;; dieAt++) {
      const context = pm.context();
      const operation = operationOf(spec, named(`n${dieAt}`));
      const died = await dies(operation, context, dieAt);
      if (died === undefined) break;
      met.push(died);
      const outcome = await runs(operation, context.again());
      expect([died, outcome]).toMatchObject([died, { status: "success", details: { version: `n${dieAt}` } }]);
      expect([died, (await taggedBy(context)).length]).toEqual([died, 1]);
      expect([died, await taggedBy(old)]).toEqual([died, []]);
      old = context;
    }
    expect(met.some((what) => what.startsWith("startProcess"))).toBe(true);
    expect(met.length).toBeGreaterThan(10);
  }, 120_000);

  it("is followed by one that switches to what was prepared, and ends the old one, wherever it died", async () => {
    const spec = await program("exec sleep 600");
    expect(await runs(operationOf(spec, named("v1")), pm.context())).toMatchObject({ status: "success" });
    const met: string[] = [];
    for (let dieAt = 1, dead = true; dead; dieAt++) {
      const release = operationOf(spec, { ...named(`n${dieAt}`), action: "prepare" });
      const prepared = pm.context();
      expect(await runs(release, prepared)).toMatchObject({ status: "success" });
      dead = false;
      for (const part of [{ action: "switch", hold: true }, { action: "finish" }] as const) {
        const context = pm.context();
        const died = await dies({ ...release, ...part }, context, dieAt);
        if (died === undefined) continue;
        dead = true;
        met.push(died);
        const outcome = await runs({ ...release, ...part }, context.again());
        expect([part.action, died, outcome]).toMatchObject([part.action, died, { status: "success" }]);
        expect([part.action, died, (await taggedBy(prepared)).length]).toEqual([part.action, died, 1]);
      }
      const record = JSON.parse(await Deno.readTextFile(`${pm.app()}/release.json`));
      expect([record.current.version, record.pending, record.beside ?? null]).toEqual([`n${dieAt}`, null, null]);
    }
    expect(met.length).toBeGreaterThan(6);
  }, 120_000);

  it(
    "is followed by one that says what was wrong with the release, wherever it died while it took that back",
    async () => {
      const good = await program("exec sleep 600");
      expect(await runs(operationOf(good, named("v1")), pm.context())).toMatchObject({ status: "success" });
      const bad = { ...await program("exec sleep 600", 1), health: [{ tcp: { port: 1 } }] };
      const met: string[] = [];
      const first = pm.context();
      let from = 1;
      const isOfStart = (number: number) => {
        if (!first.text().includes("Started")) from = number + 1; // the first test has those
      };
      await dies(operationOf(bad, named("v2")), first, Infinity, isOfStart);
      for (let dieAt = from;; dieAt++) {
        const context = pm.context();
        const operation = operationOf(bad, named(`n${dieAt}`));
        const died = await dies(operation, context, dieAt);
        if (died === undefined) break;
        met.push(died);
        const outcome = await runs(operation, context.again());
        expect([died, outcome]).toMatchObject([died, { status: "failed", details: { version: "v1" } }]);
        expect(outcome.message).toMatch(/not healthy within 1 s: connecting to port 1: .* v1 keeps running\.$/);
        expect([died, await taggedBy(context)]).toEqual([died, []]);
      }
      expect(met.length).toBeGreaterThan(1);
    },
    120_000,
  );
});
