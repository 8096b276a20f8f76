/**
 * The parts of one application's release, lined up. What lies between batches stands in one line; within a batch every
 * machine has a lane of its own:
 *
 *   preDeploy -> m1: preDeploy -> prepare -.               .-> switch -> postDeploy -.
 *     (once)  -> m2: preDeploy -> prepare -'-> preSwitch ->'-> switch -> postDeploy -'-> wait -> next batch ...
 *
 * A whole release (`deploy`) stands for prepare and switch where nothing lies between them. Pure.
 */
import type { HookName } from "./hooks.ts";
import type { PlanApplication, PlannedTask, Work } from "./planned_task.ts";
import type { ApplyStage, Phase, PlanStages, Stage, StageTarget } from "./strategy.ts";

/** Of an application that any agent may take: it stands for its one place while stages are cut. */
const ANYWHERE: StageTarget = { id: "", name: "" };
const MAX_NAME = 60;
/** Between two sets of machines, one after the other. Beyond it they meet in one part, that ends at once. */
const MOST_EDGES = 10_000;

type Part = Pick<PlannedTask, "key" | "name" | "type" | "isLeaf" | "work">;

export function planParts(app: PlanApplication, dependsOn: string[], planStages: PlanStages): PlannedTask[] {
  const { hooks = {}, watchSeconds = 0, leftOut = [] } = app;
  const tasks: PlannedTask[] = [];
  const counts = new Map<string, number>();
  const number = (kind: string) => {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return `${kind}-${counts.get(kind)}`;
  };
  let previous = dependsOn;
  let batch = 0;

  const add = (part: Part, target: StageTarget | null, waitsFor: string[], inBatch: number | null): string => {
    const key = `${app.name}/${part.key}`;
    const place = target === ANYWHERE ? null : target;
    const where = { parentKey: app.name, application: app.name, target: place, batch: inBatch };
    tasks.push({ ...part, ...where, key, dependsOn: waitsFor, maxFailures: 0, isLeftOut: false });
    return key;
  };
  const addOne = (part: Part) => void (previous = [add(part, null, previous, null)]);
  const addLanes = (targets: StageTarget[], makers: ((target: StageTarget) => Part)[]) => {
    if (previous.length * targets.length > MOST_EDGES) {
      const parts = previous.length;
      const work: Work = { kind: "meeting", parts };
      addOne({ key: number("all"), name: `after all ${parts}`, type: "pause", isLeaf: false, work });
    }
    const ends = new Map(targets.map((target) => [target, previous]));
    for (const make of makers) {
      for (const target of targets) ends.set(target, [add(make(target), target, ends.get(target)!, batch)]);
    }
    previous = [...new Set([...ends.values()].flat())];
  };
  const apply = (phase: Phase, stage: ApplyStage) => (target: StageTarget): Part =>
    applyPart(app.name, target, phase, stage);
  const once = (name: HookName) => {
    const hook = hooks[name];
    if (hook && hook.on !== "each") addOne(hookPart(name, { kind: "hook", name, hook }));
  };
  const each = (name: HookName) => {
    const hook = hooks[name];
    if (hook?.on !== "each") return [];
    return [(target: StageTarget): Part => hookPart(name, { kind: "hook", name, hook }, target)];
  };

  const stages = planStages({
    targets: app.targets.length > 0 ? app.targets : [ANYWHERE],
    strategy: app.strategy,
  });
  const lastReached = stages.findLastIndex((stage) => stage.kind === "apply" && stage.phase !== "finish");
  let hasSwitched = false;
  const addBatch = (stage: ApplyStage) => {
    const { phase, targets } = stage;
    const isWhole = phase === "deploy";
    if (isWhole || phase === "prepare") batch++;
    if (phase === "finish") return addLanes(targets, [apply(phase, stage)]);
    if (phase === "prepare") return addLanes(targets, [...each("preDeploy"), apply(phase, stage)]);
    if (phase === "switch") {
      once("preSwitch");
      if (hooks.preSwitch?.on === "each") addLanes(targets, each("preSwitch")); // all of them, before the first switches
      return addLanes(targets, [apply(phase, stage), ...each("postDeploy")]);
    }
    const asksOnce = hooks.preSwitch && hooks.preSwitch.on !== "each" && !hasSwitched;
    hasSwitched = true;
    if (asksOnce) {
      addLanes(targets, [...each("preDeploy"), apply("prepare", stage)]);
      once("preSwitch");
      return addLanes(targets, [apply("switch", stage), ...each("postDeploy")]);
    }
    const way = hooks.preSwitch?.on === "each"
      ? [apply("prepare", stage), ...each("preSwitch"), apply("switch", stage)]
      : [apply("deploy", stage)];
    addLanes(targets, [...each("preDeploy"), ...way, ...each("postDeploy")]);
  };

  once("preDeploy");
  for (const [at, stage] of stages.entries()) {
    if (stage.kind === "apply") addBatch(stage);
    else addOne(betweenPart(stage, number(stage.kind)));
    if (at === lastReached) once("postDeploy");
  }
  if (watchSeconds > 0) {
    const work: Work = { kind: "watch", seconds: watchSeconds };
    addOne({ key: "watch", name: `watch ${watchSeconds} s`, type: "gate", isLeaf: false, work });
  }
  for (const target of leftOut) {
    add(applyPart(app.name, target, "deploy"), target, [], null);
    tasks.at(-1)!.isLeftOut = true;
  }
  return tasks;
}

function applyPart(application: string, target: StageTarget, phase: Phase, stage?: ApplyStage): Part {
  const isWhole = phase === "deploy";
  const place = target === ANYWHERE ? "" : target.name;
  const work: Work = {
    ...{ kind: "apply", phase },
    ...(phase === "switch" && stage?.hold && { hold: true }),
    ...(stage?.step && { step: stage.step }),
  };
  const key = `${place || "run"}${isWhole ? "" : `/${phase}`}`;
  const name = isWhole ? place || application : place ? `${phase} ${place}` : phase;
  return { key, name, type: "apply", isLeaf: true, work };
}

function hookPart(name: HookName, work: Work, target?: StageTarget): Part {
  const place = target && target !== ANYWHERE ? target.name : undefined;
  const shown = place === undefined ? name : `${name} on ${place}`;
  return { key: place === undefined ? name : `${place}/${name}`, name: shown, type: "hook", isLeaf: true, work };
}

function betweenPart(stage: Exclude<Stage, ApplyStage>, key: string): Part {
  if (stage.kind === "pause") {
    return { key, name: `wait ${stage.seconds} s`, type: "pause", isLeaf: false, work: stage };
  }
  if (stage.kind === "approval") return { key, name: "approval", type: "approval", isLeaf: false, work: stage };
  const { gate } = stage;
  const what = "script" in gate ? gate.script : "http" in gate ? gate.http : gate.prometheus;
  const name = `gate: ${what.length > MAX_NAME ? `${what.slice(0, MAX_NAME - 1)}…` : what}`;
  return { key, name, type: "gate", isLeaf: "script" in gate, work: stage };
}
