/**
 * The tasks of a rollback: for every place its previous release, or nothing where nothing was; of each application the
 * onRollback hook of the version that is left stands in front of them. Order and previous releases were decided before.
 *
 *   order: onRollback (once) -> m1: onRollback -> m1 back
 *                            -> m2: onRollback -> m2 back
 */
import type { RollbackStep } from "../../domain/choose_rollback.ts";
import type { Database } from "../database.ts";
import type { DeploymentRow } from "./change_deployment.ts";
import { hookPayload } from "./hook_payload.ts";
import type { LaterHook } from "./hook_payload.ts";
import type { NewTask } from "./insert_tasks.ts";
import type { ReachedPlace } from "./read_reached.ts";

export interface RollbackPlan {
  steps: readonly RollbackStep[];
  reached: readonly ReachedPlace[];
  /** application id -> of the rollback */
  generations: ReadonlyMap<string, number>;
  /** Of the last task there is. */
  lastPosition: number;
  /** onFailure hooks that still run: they may look at what is about to go. */
  waitsFor: readonly string[];
}

export function planRollback(db: Database, row: DeploymentRow, plan: RollbackPlan): NewTask[] {
  const tops = new Map(plan.steps.map((step) => [step.application, db.newId()]));
  let position = plan.lastPosition;
  return plan.steps.flatMap((step) => {
    const all = plan.reached.filter((place) => place.application === step.application);
    const places = all.filter((place) => !place.isHookOnly);
    const [first] = all;
    const { environmentId, appId } = first!;
    const hook = first!.hooks?.onRollback;
    const topId = tops.get(step.application)!;
    const isAlone = places.length === 1 && !hook;
    const dependsOn = [
      ...step.dependsOn.map((name) => tops.get(name)!),
      ...first!.heldBy,
      ...plan.waitsFor,
    ];
    const generation = plan.generations.get(appId);
    const common = {
      ...{ projectId: row.projectId, deploymentId: row.id, environmentId, appId, isRollback: true, open: true },
      ...{ parentId: topId, isLeaf: true, targetAgentId: null, specSha256: null },
    };
    const tasks: NewTask[] = [];
    const add = (task: Pick<NewTask, "name" | "type" | "dependsOn" | "payload" | "maxAttempts"> & Partial<NewTask>) => {
      const added = { ...common, id: db.newId(), position: ++position, ...task };
      tasks.push(added);
      return added.id;
    };
    if (!isAlone) {
      // What fails of a rollback is never tolerated, but its hooks are.
      const maxFailures = hook ? (hook.on === "each" ? places.length : 1) : 0;
      const parent = { id: topId, parentId: null, isLeaf: false, maxFailures };
      add({ name: step.application, type: "rollback", dependsOn, payload: {}, maxAttempts: 1, ...parent });
    }
    const addHook = (hook: LaterHook, place: ReachedPlace | null, waitsFor: string[]) =>
      add({
        name: place?.target ? `onRollback on ${place.target.name}` : "onRollback",
        ...{ type: "hook", dependsOn: waitsFor, maxAttempts: 1 },
        targetAgentId: place?.targetAgentId ?? null,
        specSha256: first!.specSha256,
        payload: { ...hookPayload(place ?? first!, "onRollback", hook, place !== null), isRollback: true, generation },
      });
    const isEach = hook?.on === "each";
    const once = hook && !isEach ? addHook(hook, null, dependsOn) : undefined;
    for (const place of places) {
      const own = hook && isEach ? addHook(hook, place, dependsOn) : undefined;
      const { previous, target } = place;
      const payload = {
        ...place.operation,
        isRollback: true,
        action: previous ? "deploy" : "remove",
        generation: generation ?? place.operation.generation,
        ...(previous ? { versionId: previous.versionId, version: previous.version, commit: previous.commit } : {}),
      };
      add({
        ...(isAlone && { id: topId, parentId: null }),
        name: isAlone ? step.application : target?.name ?? step.application,
        ...{ type: "rollback", payload, maxAttempts: 3 },
        dependsOn: [...dependsOn, ...[once, own].flatMap((id) => id ?? [])],
        targetAgentId: place.targetAgentId,
        specSha256: previous?.specSha256 ?? null,
      });
    }
    return tasks;
  });
}
