/** Which triggers an event fires, and of every other one why not: in words that its reader can act on. */
import type { Ref } from "./git_ref.ts";
import { matchesName, pathMatcher } from "./match_glob.ts";
import type { TriggerEvent, TriggerRule, TriggerStart } from "./trigger.ts";

/** The part of a trigger that is looked at here. */
export interface Filtered extends TriggerRule {
  on: TriggerEvent;
  environment: string;
  name?: string;
  start?: TriggerStart;
  enabled?: boolean;
}
export interface Pushed {
  ref: Ref;
  defaultBranch: string;
  /** Paths that differ from the version before; undefined when there was none. */
  files: readonly string[] | undefined;
}
export interface Decision<T> {
  trigger: T;
  /** Undefined when it fires. */
  why?: string;
}

/**
 * What each trigger on pushes, or on tags, says to a pushed ref. The first match per environment counts: a Plan is read
 * from top to bottom. Triggers on anything else are not looked at.
 */
export function matchTriggers<T extends Filtered>(triggers: readonly T[], pushed: Pushed): Decision<T>[] {
  const event = pushed.ref.kind === "tag" ? "tag" : "push";
  const first = new Map<string, T>();
  return triggers.filter((trigger) => trigger.on === event).map((trigger) => {
    const before = first.get(trigger.environment);
    const why = trigger.enabled === false
      ? "it is switched off"
      : whyNotRef(trigger, pushed) ?? whyNotPaths(trigger, pushed.files) ??
        (before && `${before.name ?? "a trigger"}, which stands above it, is the one for ${trigger.environment}`);
    if (why !== undefined) return { trigger, why };
    first.set(trigger.environment, trigger);
    return { trigger };
  });
}

function whyNotRef(trigger: Filtered, { ref, defaultBranch }: Pushed): string | undefined {
  if (ref.kind === "tag") return whyNotName("tag", ref.name, trigger.match ?? "*");
  return whyNotName("branch", ref.name, trigger.branch ?? defaultBranch);
}

const whyNotName = (kind: string, name: string, pattern: string): string | undefined =>
  matchesName(pattern, name) ? undefined : `${kind} ${name} does not match ${pattern}`;

/** Of a version that is chosen and not pushed: without `branch` and `match` any will do, else one of them. */
export function whyNotOrigin({ branch, match }: TriggerRule, ref: Ref | null): string | undefined {
  if (branch === undefined && match === undefined) return undefined;
  if (ref === null) {
    const wanted = branch === undefined ? `tag ${match}` : `branch ${branch}`;
    return `it was posted and never seen at the remote, and the trigger takes ${wanted} only`;
  }
  const pattern = ref.kind === "tag" ? match : branch;
  if (pattern === undefined) {
    return `${ref.name} is of a ${ref.kind}, and it takes ${ref.kind === "tag" ? "branch" : "tag"} ${
      branch ?? match
    } only`;
  }
  return whyNotName(ref.kind, ref.name, pattern);
}

/** @param files undefined when there is nothing to compare with: then all of them are new */
export function whyNotPaths({ paths }: TriggerRule, files: readonly string[] | undefined): string | undefined {
  if (paths === undefined || files === undefined || files.some(pathMatcher(paths))) return undefined;
  return `nothing under ${paths.join(", ")} changed`;
}

/** What a repository follows: its own branch and tags, and those that its triggers name. */
export interface Followed {
  branch: string;
  tagPattern: string | null;
  triggers: readonly Pick<Filtered, "on" | "branch" | "match">[];
}

/** Why a pushed ref is passed over; undefined when it is followed. */
export function whyNotFollowed(followed: Followed, ref: Ref): string | undefined {
  if (ref.kind === "branch") {
    const patterns = followed.triggers.flatMap((t) => (t.on === "push" && t.branch !== undefined ? [t.branch] : []));
    if (ref.name === followed.branch || patterns.some((p) => matchesName(p, ref.name))) return undefined;
    return `Branch ${ref.name} is not followed; this repository follows ${followed.branch}.`;
  }
  const patterns = followed.triggers.flatMap((t) => (t.on === "tag" ? [t.match ?? "*"] : []));
  if (followed.tagPattern !== null) patterns.push(followed.tagPattern);
  if (patterns.some((p) => matchesName(p, ref.name))) return undefined;
  return patterns.length === 0
    ? `Tag ${ref.name} is not followed; set the repository's tagPattern, or a tag trigger in its Plan.`
    : `Tag ${ref.name} does not match ${patterns.join(" or ")}.`;
}
