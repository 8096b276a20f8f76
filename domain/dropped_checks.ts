/**
 * What an application's own strategy asks for between the parts of a release, and another one passes over. Pure.
 *
 *   own:    1 -> approve -> 100%        given: 100%            the approval is dropped
 *                                       given: 2 -> approve    dropped as well: two places have it before anybody is asked
 *                                       given: 1 -> approve -> 50% -> approve      nothing is dropped
 *
 * An approval or gate is kept when the other strategy has one that asks no less, in the same order, and no more places
 * have the release by then.
 */
import type { ApproveInput, PlanStages, Stage, StageTarget, StrategyInput } from "./strategy.ts";

type Check = Exclude<Stage, { kind: "apply" | "pause" }>;
interface PlacedCheck {
  check: Check;
  /** Places that have the release before it is asked. */
  reached: number;
}

/** @returns each of them in words; nothing when all are kept */
export function findDropped(
  { own, given, targets }: { own: StrategyInput; given: StrategyInput; targets: StageTarget[] },
  planStages: PlanStages,
): string[] {
  // What any agent may take goes to one place, as when it is planned.
  const places = targets.length > 0 ? targets : [{ id: "", name: "" }];
  const checksOf = (strategy: StrategyInput) => placeChecks(planStages({ targets: places, strategy }));
  const kept = checksOf(given);
  let from = 0;
  return checksOf(own).flatMap(({ check, reached }) => {
    const at = kept.findIndex((other, index) =>
      index >= from && other.reached <= reached && asksNoLess(other.check, check)
    );
    if (at >= 0) from = at + 1;
    return at >= 0 ? [] : [`${sayCheck(check)} after ${reached} of ${places.length}`];
  });
}

function placeChecks(stages: readonly Stage[]): PlacedCheck[] {
  let reached = 0;
  return stages.flatMap((stage): PlacedCheck[] => {
    if (stage.kind === "gate" || stage.kind === "approval") return [{ check: stage, reached }];
    if (stage.kind === "apply" && (stage.phase === "deploy" || stage.phase === "switch")) {
      reached += stage.targets.length;
    }
    return [];
  });
}

function asksNoLess(given: Check, own: Check): boolean {
  if (given.kind === "gate") return own.kind === "gate" && spell(given.gate) === spell(own.gate);
  return own.kind === "approval" && asksNoLessOfPeople(given.approve, own.approve);
}

function asksNoLessOfPeople(given: ApproveInput, own: ApproveInput): boolean {
  const [roles, wanted] = [given.roles ?? [], own.roles ?? []];
  const ofThem = wanted.length === 0 ? roles.length === 0 : roles.length > 0 && roles.every((r) => wanted.includes(r));
  const isSilenceFine = given.onExpire !== "approve" || (own.onExpire === "approve" && own.expires === given.expires);
  return (given.count ?? 1) >= (own.count ?? 1) && ofThem && (given.notAuthor === true || own.notAuthor !== true) &&
    isSilenceFine;
}

/** The same for the same condition, in whatever order it was written. */
const spell = (gate: object): string => JSON.stringify(Object.entries(gate).sort(([a], [b]) => (a < b ? -1 : 1)));

function sayCheck(check: Check): string {
  if (check.kind === "approval") {
    const { count = 1, roles = [] } = check.approve;
    return `approval by ${count}${roles.length > 0 ? ` of ${roles.join(", ")}` : ""}`;
  }
  const { gate } = check;
  return `gate ${"script" in gate ? gate.script : "http" in gate ? gate.http : gate.prometheus}`;
}
