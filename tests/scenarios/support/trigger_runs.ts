/** Two triggers that most stories have, and what came of them in few words. */
import type { TriggerWorld } from "../../helpers/trigger_world.ts";

export const STAGE = "on: push, name: stage, branch: main, environment: staging, start: auto";
export const PROMOTE = "on: deployment, name: promote, of: staging, after: 30m, environment: prod, start: auto";
export const said = async (w: TriggerWorld, trigger?: string) =>
  (await w.runs(trigger)).map((r) => [r.trigger, r.outcome, r.text]);
export const last = async (w: TriggerWorld, trigger: string) => (await w.runs(trigger)).at(-1)!;
export const deployments = async (w: TriggerWorld) =>
  (await w.deployments()).map((d) => `${d.version} ${d.environment} ${d.status}`);
