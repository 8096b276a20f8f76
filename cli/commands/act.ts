/** Acts that differ in one word: one shape for all. */
import type { DeploymentWithTasks } from "../../protocol/http_api.ts";
import { command } from "../command.ts";
import { findDeployment } from "../find.ts";
import { printResult, sayWhat } from "../print.ts";
import { watchToEnd } from "./watch_to_end.ts";

const WATCH_GOAL: Partial<Record<Act, DeploymentWithTasks["status"]>> = {
  rollback: "rolled_back",
  cancel: "cancelled",
};
type Act = "pause" | "resume" | "skip" | "promote" | "cancel" | "rollback" | "retry";

const actCommand = (act: Act, summary: string) =>
  command({
    summary,
    usage: `${act} DEPLOYMENT [flags]`,
    details: "DEPLOYMENT is an id, its beginning, or latest.",
    flags: {
      note: { type: "string", value: "TEXT", help: "why, for the record" },
      watch: { type: "boolean", short: "w", help: "follow it to its end" },
    },
    positionals: [1, 1],
    async run(context, [wanted], flags) {
      const api = await context.api();
      const { id } = await findDeployment(api, wanted!);
      await api.actOnDeployment(id, act, flags.note ? { note: flags.note } : {});
      if (flags.watch) return await watchToEnd(context, api, id, WATCH_GOAL[act]);
      const now = await api.deployment(id);
      printResult(
        context,
        now,
        `${sayWhat(now)}: ${now.status.replaceAll("_", " ")}. ${now.reason.text}`,
      );
      return 0;
    },
  });

export const pause = actCommand("pause", "let running tasks end and start no new ones");
export const resume = actCommand("resume", "go on after a pause");
export const skip = actCommand("skip", "end the waits and gates of the moment, and the watch over a release, now");
export const promote = actCommand(
  "promote",
  "pass over every wait and gate of what is being rolled out; approvals stay",
);
export const cancel = actCommand("cancel", "stop a deployment; waits for the agents' word");
export const rollback = actCommand("rollback", "bring back what ran before a deployment");
export const retry = actCommand("retry", "take up again what failed, of a deployment that failed or is paused on it");
