/**
 * What an upgrade of agents does next (the picture is in `upgrade_state.ts`): pure, from rows to changes. One machine
 * goes first; when it came back, as many as a batch holds, and when all of those came back, the next batch. The first
 * failure ends it: who has been told is still listened to, nobody else is told.
 */
import { compareReleases } from "./compare_releases.ts";
import { type Reason, reason } from "./reason.ts";
import type { UpgradeAgentState, UpgradeState } from "./upgrade_state.ts";

export interface UpgradingAgent {
  agentId: string;
  name: string;
  state: UpgradeAgentState;
  reason: Reason;
  /** It was told, and not just found to run the version already. */
  wasAsked: boolean;
  /** Since it was told, or said something about it. */
  quietSeconds: number;
  connected: boolean;
  /** The version it runs by its own word; empty when it never said. */
  runs: string;
  /** It lies where the install line puts it, so it can replace itself. */
  installed: boolean;
}
export interface UpgradePlan {
  version: string;
  downgrade: boolean;
  batch: number;
  status: UpgradeState;
  agents: readonly UpgradingAgent[];
}
export interface UpgradeStep {
  changes: { agentId: string; state: UpgradeAgentState; reason: Reason }[];
  end?: { status: UpgradeState; reason: Reason };
}

/** Longer than fetching, waiting for idle and the watcher's patience between two words of an agent. */
export const QUIET_SECONDS = 600;

export function planUpgrade(plan: UpgradePlan): UpgradeStep {
  const { version } = plan;
  const changes = new Map<string, UpgradeStep["changes"][number]>();
  const change = (agent: UpgradingAgent, state: UpgradeAgentState, why: Reason) =>
    changes.set(agent.agentId, { agentId: agent.agentId, state, reason: why });
  const stateOf = (agent: UpgradingAgent) => changes.get(agent.agentId)?.state ?? agent.state;
  const inState = (state: UpgradeAgentState) => plan.agents.filter((agent) => stateOf(agent) === state);

  for (const agent of inState("asked")) {
    if (agent.connected && agent.runs === version) change(agent, "succeeded", reason("upgrade.succeeded", { version }));
    else if (agent.quietSeconds > QUIET_SECONDS) {
      change(agent, "failed", reason("upgrade.silent", { seconds: QUIET_SECONDS }));
    }
  }
  const step = (end?: UpgradeStep["end"]): UpgradeStep => ({ changes: [...changes.values()], ...(end ? { end } : {}) });
  if (plan.status !== "running") return step();

  const [broken] = inState("failed");
  if (broken) {
    const why = changes.get(broken.agentId)?.reason ?? broken.reason;
    for (const agent of inState("waiting")) change(agent, "skipped", reason("upgrade.stopped", { agent: broken.name }));
    return step({ status: "failed", reason: reason("upgrade.failed", { agent: broken.name, detail: why.text }) });
  }
  if (inState("asked").length > 0) return step();

  let room = plan.agents.some((agent) => agent.wasAsked && stateOf(agent) === "succeeded") ? plan.batch : 1;
  for (const agent of inState("waiting")) {
    if (room === 0) break;
    if (agent.runs === version) change(agent, "succeeded", reason("upgrade.already", { version }));
    else if (!agent.installed) change(agent, "skipped", reason("upgrade.not_installed"));
    else if (!plan.downgrade && compareReleases(agent.runs, version) > 0) {
      change(agent, "skipped", reason("upgrade.newer", { from: agent.runs }));
    } else if (!agent.connected) change(agent, "skipped", reason("upgrade.offline"));
    else {
      change(agent, "asked", reason("upgrade.asked", { version }));
      room--;
    }
  }
  if (inState("asked").length > 0) return step();
  const count = inState("succeeded").length;
  return step({
    status: "completed",
    reason: reason("upgrade.completed", { count, total: plan.agents.length, version }),
  });
}
