import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { hasRole } from "../../domain/roles.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { LoadedPlan } from "./load_plan.ts";

/** Who let a deployment pass over checks of its applications' own strategies, why, and which. */
export interface StrategyOverride {
  by: string;
  reason: string;
  dropped: readonly string[];
}

/** What a strategy leaves out, and what to do about it. */
export const sayDropped = ({ dropped, environment }: Pick<LoadedPlan, "dropped" | "environment">): string => {
  const who = environment.policy.strategyOverride?.role ?? "admin";
  return `This strategy leaves out what the applications' own asks for: ${
    dropped.join("; ")
  }. Keep these steps, or let ${who} give it with a reason: boreas deploy --waive REASON, or {"override": {"reason": "..."}}.`;
};

/**
 * The strategy of one deployment keeps the approvals and gates of the applications' own, unless somebody whom the
 * environment's policy names (an admin always may) says why not.
 * @param before what was said for this deployment already: it holds for what was left out then
 * @throws AppError forbidden, invalid
 */
export function waiveChecks(
  plan: Pick<LoadedPlan, "dropped" | "environment">,
  actor: Actor,
  override: { reason: string } | undefined,
  before: StrategyOverride | null,
): StrategyOverride | null {
  const { dropped, environment } = plan;
  if (dropped.length === 0) return null;
  if (before && dropped.every((check) => before.dropped.includes(check))) return before;
  if (!override) throw new AppError("forbidden", "strategy.drops_checks", sayDropped(plan));
  const { role } = environment.policy.strategyOverride ?? {};
  if (!hasRole(actor, role === undefined ? [] : [role])) {
    throw new AppError("forbidden", "strategy.role", `${sayDropped(plan)} Your role is ${actor.role}.`);
  }
  if (override.reason.trim() === "") {
    throw new AppError("invalid", "strategy.reason", "Say why these checks are left out; the reason is empty.");
  }
  return { by: actor.name, reason: override.reason, dropped };
}

/** Keeps it with the deployment, in the audit and in the timeline; null when nothing is left out any more. */
export async function recordWaiver(
  db: Database,
  tx: Tx,
  { id, status }: { id: string; status: string },
  waiver: StrategyOverride | null,
  actor: Actor,
): Promise<void> {
  await tx`update deployment set strategy_override = ${waiver ? tx.json(waiver as never) : null} where id = ${id}`;
  if (!waiver) return;
  const { by, dropped } = waiver;
  await recordAudit(db, tx, actor, "deployment.override_strategy", `deployment:${id}`, {
    reason: waiver.reason,
    dropped,
  });
  const said = reason("deployment.checks_waived", { actor: by, what: dropped.join("; "), note: waiver.reason });
  await recordEvents(tx, [{
    topic: "deployment",
    projectId: actor.projectId,
    subjectId: id,
    deploymentId: id,
    kind: "deployment.checks_waived",
    data: { name: status, reason: said },
  }]);
}
