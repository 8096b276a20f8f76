/**
 * Applies again what no longer is what its version says: one deployment per application, environment and version, of the
 * machines that differ, one after the other. It goes the way of every deployment: policy, approvals, locks, timeline.
 *
 *   differs --a try is due, nothing frozen--> noted with its instant -> deployment made --approvals--> starts by itself
 *
 * The try is noted first: a crash between the two costs one try, never an endless row of them.
 */
import { AppError } from "../../domain/app_error.ts";
import { nameDifferences, nextHealAt } from "../../domain/drift.ts";
import { reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import { systemActor } from "../database.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { recordEvents } from "../events/record_event.ts";
import { findFrozen } from "../freezes/find_frozen.ts";
import type { FrozenPlace } from "../freezes/find_frozen.ts";
import { type Drifted, findHealable, type Healing } from "./find_drifted.ts";

const HOUR_MS = 3600_000;
/** Of an environment that is no set of machines. */
const NOWHERE = "-";

/** @returns deployments that were made */
export async function healDrift(
  deps: DeploymentDeps,
  settleSeconds: number,
  aside: Aside = noAside,
): Promise<number> {
  const due = (await findHealable(deps.db, settleSeconds)).filter((row) =>
    nextHealAt(row.healing?.tries ?? [], row.now) <= row.now
  );
  const together = Map.groupBy(due, (row) => `${row.environmentId} ${row.applicationId} ${row.versionId}`);
  let made = 0;
  for (const [key, rows] of together) if (await aside.attempt(key, () => heal(deps, rows))) made++;
  return made;
}

async function heal(deps: DeploymentDeps, rows: readonly Drifted[]): Promise<boolean> {
  const { application, environmentId, projectId, version, versionId } = rows[0]!;
  // No try is used up and no deployment piles up: the first look after the freeze heals.
  if (await isFrozen(deps, rows[0]!)) return false;
  await note(deps, rows, { deploymentId: null });
  const targets = rows.map((row) => row.target).filter((target) => target !== NOWHERE);
  const isMany = targets.length > 1;
  const detail = rows.map((row) => (isMany ? `${row.target}: ` : "") + nameDifferences(row.drift)).join("; ");
  const where = targets.join(", ") || NOWHERE;
  try {
    const deploymentId = await createDeployment(deps, {
      versionId,
      environmentId,
      applications: [application],
      mustInOrder: [],
      ...(targets.length > 0 && { onlyTargets: targets }),
      // What fails here leaves things as they are: going back would bring the same, and blame the version.
      strategy: isMany
        ? { type: "rolling", batch: 1, onFailure: { action: "stop" } }
        : { type: "all", onFailure: { action: "stop" } },
      autoStart: true,
      reapply: true,
      origin: reason("drift.healing", { application, target: where, version, detail: detail.slice(0, 1000) }),
    }, systemActor("drift healing", projectId));
    await note(deps, rows, { deploymentId });
    return true;
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    await note(deps, rows, { deploymentId: null, error: error.message });
    const said = reason("drift.not_healed", { application, target: where, detail: error.message });
    await deps.db.sql.begin((tx) =>
      recordEvents(tx, [{
        topic: "application",
        projectId,
        subjectId: rows[0]!.applicationId,
        kind: "application.not_healed",
        data: { name: application, environmentId, target: where, reason: said },
      }])
    );
    deps.hints.announce("events");
    return false;
  }
}

async function isFrozen({ db }: DeploymentDeps, row: Drifted): Promise<boolean> {
  const [place] = await db.sql<
    { id: string; name: string; policy: Record<string, never>; planned: FrozenPlace["planned"] }[]
  >`select e.id, e.name, e.policy, coalesce(v.plan -> 'freeze', '[]') as planned from environment e, version v
    where e.id = ${row.environmentId} and v.id = ${row.versionId}`;
  if (!place) return true;
  const { planned, ...environment } = place;
  try {
    return await findFrozen(db.sql, { environment, planned, applications: [row.application] }) !== undefined;
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    return false; // a freeze that cannot be read is told where the deployment would start
  }
}

/** This try, once, and what became of it. */
async function note(
  { db }: DeploymentDeps,
  rows: readonly Drifted[],
  now: Pick<Healing, "deploymentId" | "error">,
): Promise<void> {
  for (const row of rows) {
    const tries = [...(row.healing?.tries ?? []).filter((at) => at > row.now - HOUR_MS), row.now];
    const healing: Healing = { tries, ...now };
    await db.sql`update app_state set healing = ${
      db.sql.json(healing as never)
    } where environment_id = ${row.environmentId}
      and application_id = ${row.applicationId} and target = ${row.target}`;
  }
}
