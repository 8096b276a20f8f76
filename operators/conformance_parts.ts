/** What every operator owes the runtime when a release comes in parts, and of the scripts between them. */
import type { Operation, OutcomeInput } from "../protocol/operation.ts";
import { check, say } from "./conformance.ts";
import type { ConformanceCase, ConformanceContext, ConformanceFixture } from "./conformance.ts";
import type { Operator } from "./operator.ts";
import { StopReason } from "./operator.ts";

export const partCases: ConformanceCase[] = [
  {
    name:
      "releases in parts: what is prepared does not serve, a switch makes it serve, and each may be asked for twice",
    async run({ operator, context, prints }) {
      const act = actor(operator, context);
      const first = await prints(["hello\n"]);
      await act(first, "deploy");
      const second = await next(prints, "v2");
      for (const action of ["prepare", "prepare", "switch", "switch", "finish", "finish"] as const) {
        await act(second, action, { hold: true });
        const serves = action === "prepare" ? first.version : second.version;
        check(await versionOf(operator, first.app) === serves, `after ${action} it is not ${serves} that serves`);
      }
    },
  },
  {
    name: "brings a release back by a deploy while it is held, and by any later one, and removes both",
    async run({ operator, restart, context, prints }) {
      const act = actor(operator, context);
      const first = await prints(["hello\n"]);
      await act(first, "deploy");
      const second = await next(prints, "v2");
      await act(second, "prepare");
      await act(second, "switch", { hold: true });
      const back = await next(prints, first.version);
      await act({ ...back, spec: first.spec, isRollback: true }, "deploy");
      check(await versionOf(operator, first.app) === first.version, "the old one does not serve again");
      const third = await next(prints, "v3");
      await act(third, "prepare");
      const later = actor(await restart(), context); // what it knows of both is on its disk, or nowhere
      const fourth = await next(prints, "v4");
      await later(fourth, "deploy");
      await later({ ...fourth, generation: fourth.generation + 1, spec: null }, "remove");
    },
  },
  {
    name: "runs a hook once, says how it ended, and leaves what runs as it is",
    async run({ operator, context, prints, script }) {
      const deployed = await prints(["hello\n"]);
      await actor(operator, context)(deployed, "deploy");
      const hook = { action: "hook", hook: { name: "preDeploy", run: "run" } } as const;
      const log = context();
      const well = await operator.run(await script("well", hook), log);
      check(well.status === "success" && well.message.endsWith("."), say(well));
      check(log.text().length > 0, "it says nothing in its log");
      const badly = await operator.run(await script("badly", hook), context());
      check(badly.status === "failed" && badly.code === "hook.failed", say(badly));
      check(badly.message.includes("preDeploy") && badly.message.endsWith("."), `not a sentence: ${badly.message}`);
      check(await versionOf(operator, deployed.app) === deployed.version, "the hook changed what runs");
    },
  },
  {
    name: "measures a gate's script, tells what it measured, and fails at the first bad one",
    async run({ operator, context, script }) {
      const gate = { action: "gate", gate: { run: "run", everySeconds: 1, forSeconds: 0 } } as const;
      const well = await operator.run(await script("well", gate), context());
      check(well.status === "success" && measurementsOf(well).join() === "true", say(well));
      const badly = await operator.run(await script("badly", gate), context());
      check(badly.status === "failed" && badly.code === "gate.failed", say(badly));
      check(measurementsOf(badly).join() === "false", say(badly));
    },
  },
  {
    name: "starts neither a hook nor a gate's script that was stopped before it began",
    async run({ operator, context, script, starts }) {
      for (const action of ["hook", "gate"] as const) {
        const log = context();
        log.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0));
        const outcome = await operator.run(
          await script("well", {
            action,
            hook: action === "hook" ? { name: "preSwitch", run: "run" } : undefined,
            gate: action === "gate" ? { run: "run", everySeconds: 1, forSeconds: 0 } : undefined,
          }),
          log,
        );
        check(outcome.status === "cancelled", say(outcome));
        check(await starts(log.taskId) === 0, `the ${action} began`);
      }
    },
  },
];

const actor =
  (operator: Operator, context: () => ConformanceContext) =>
  async (operation: Operation, action: Operation["action"], over: Partial<Operation> = {}): Promise<void> => {
    const outcome = await operator.run({ ...operation, ...over, action }, context());
    check(outcome.status === "success", `${action}: ${say(outcome)}`);
  };
/** Of another version, and of a later deployment. */
async function next(prints: ConformanceFixture["prints"], version: string): Promise<Operation> {
  return { ...await prints(["hello\n"]), version, versionId: version };
}
async function versionOf(operator: Operator, app: string): Promise<string | undefined> {
  for await (const seen of operator.observe()) if (seen.application === app) return seen.version ?? undefined;
  return undefined;
}
const measurementsOf = (outcome: OutcomeInput) =>
  (outcome.details?.measurements as { ok: boolean }[] | undefined ?? []).map(({ ok }) => ok);
