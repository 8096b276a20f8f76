/** What a freeze does to a deployment that would start, and who may start it nevertheless. */
import { AppError } from "../../domain/app_error.ts";
import { mayOverride, needsReason, sayRoles } from "../../domain/freeze.ts";
import type { Frozen } from "../../domain/freeze.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import type { FreezeOverride, LockedDeployment } from "../deployments/lock_deployment.ts";

export const sayFrozen = (frozen: Frozen): Reason =>
  reason("deployment.frozen", {
    until: instant(frozen.until),
    why: frozen.by.map(({ why }) => why).join("; "),
    roles: sayRoles(frozen),
  });

/**
 * Until when it is held back, for its row; null when somebody let it start in spite of all that is in force: what came
 * after that word was not meant by it, and who gave it may have had no say in that.
 */
export function heldUntil({ freezeOverride }: LockedDeployment, frozen: Frozen & { now: number }): string | null {
  const passed = freezeOverride && Date.parse(freezeOverride.until) > frozen.now ? freezeOverride.freezes ?? [] : [];
  return frozen.by.every(({ why }) => passed.includes(why)) ? null : instant(frozen.until);
}

/**
 * Notes that a person lets it start in spite of the freeze that is in force. It holds until that freeze would have ended,
 * also when artifacts, approvals or another deployment are waited for meanwhile.
 */
export async function overrideFreeze(
  db: Database,
  tx: Tx,
  row: LockedDeployment,
  frozen: Frozen,
  said: string,
  actor: Actor,
): Promise<FreezeOverride> {
  if (!mayOverride(frozen, actor)) {
    throw new AppError(
      "forbidden",
      "freeze.role",
      `${sayFrozen(frozen).text} Your role is ${actor.role}.`,
    );
  }
  if (said.trim() === "" && needsReason(frozen)) {
    throw new AppError("invalid", "freeze.reason", 'Say why: {"override": {"reason": "..."}}.');
  }
  const freezes = frozen.by.map(({ why }) => why);
  const override: FreezeOverride = { by: actor.name, reason: said, until: instant(frozen.until), freezes };
  await tx`update deployment set freeze_override = ${tx.json(override as never)} where id = ${row.id}`;
  await recordAudit(db, tx, actor, "deployment.override_freeze", `deployment:${row.id}`, {
    reason: said,
    until: override.until,
    freezes,
  });
  return override;
}

const instant = (milliseconds: number) =>
  new Date(Math.ceil(milliseconds / 1000) * 1000).toISOString().replace(".000", "");
