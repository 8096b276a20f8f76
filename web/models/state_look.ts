/** Colour and sign of every state. The sign and the word say the same as the colour, for those who cannot see it. */
import type { Task } from "../../protocol/http_api.ts";
import type { IconName } from "../components/icon_paths.ts";

export type Tone = "success" | "running" | "warning" | "danger" | "rollback" | "neutral";
export interface Look {
  tone: Tone;
  icon: IconName;
}

const LOOKS: Record<string, Look> = {
  pending: { tone: "neutral", icon: "pending" },
  blocked: { tone: "neutral", icon: "blocked" },
  awaiting_approval: { tone: "warning", icon: "approval" },
  created: { tone: "neutral", icon: "pending" },
  edited: { tone: "neutral", icon: "grip" },
  leased: { tone: "running", icon: "running" },
  running: { tone: "running", icon: "running" },
  paused: { tone: "warning", icon: "paused" },
  cancelling: { tone: "warning", icon: "running" },
  cancelled: { tone: "neutral", icon: "cancelled" },
  skipped: { tone: "neutral", icon: "skipped" },
  measured: { tone: "neutral", icon: "search" },
  success: { tone: "success", icon: "success" },
  completed: { tone: "success", icon: "success" },
  failed: { tone: "danger", icon: "failed" },
  rolling_back: { tone: "rollback", icon: "running" },
  rolled_back: { tone: "rollback", icon: "rollback" },
  rollback_failed: { tone: "danger", icon: "failed" },
  superseded: { tone: "neutral", icon: "superseded" },
  healthy: { tone: "success", icon: "success" },
  degraded: { tone: "warning", icon: "warning" },
  progressing: { tone: "running", icon: "running" },
  missing: { tone: "danger", icon: "failed" },
  unknown: { tone: "neutral", icon: "unknown" },
  synced: { tone: "success", icon: "success" },
  out_of_sync: { tone: "warning", icon: "warning" },
  connected: { tone: "success", icon: "success" },
  disconnected: { tone: "neutral", icon: "offline" },
  revoked: { tone: "danger", icon: "cancelled" },
  received: { tone: "neutral", icon: "pending" },
  processing: { tone: "running", icon: "running" },
  processed: { tone: "success", icon: "success" },
  sending: { tone: "running", icon: "running" },
  sent: { tone: "success", icon: "success" },
  dropped: { tone: "neutral", icon: "skipped" },
  ignored: { tone: "neutral", icon: "skipped" },
  normal: { tone: "success", icon: "success" },
  revert: { tone: "danger", icon: "rollback" },
  waiting: { tone: "warning", icon: "pending" },
  ready: { tone: "success", icon: "success" },
  fired: { tone: "success", icon: "success" },
  not_fired: { tone: "neutral", icon: "skipped" },
  active: { tone: "success", icon: "success" },
  inactive: { tone: "neutral", icon: "cancelled" },
};

export const lookOf = (state: string): Look => LOOKS[state] ?? { tone: "neutral", icon: "unknown" };

/** One word for a task: `blocked` is a step, the others are statuses. */
export const taskState = (task: Pick<Task, "step" | "status">): string =>
  task.step === "blocked" ? "blocked" : task.status;
