/** Which triggers of a Plan a push fires. Cron, deployment and api triggers are fired elsewhere and never by a push. */
import type { Ref } from "./git_ref.ts";
import { matchesName, pathMatcher } from "./match_glob.ts";

/** The part of a Plan's trigger that is looked at here. */
export interface PushTrigger {
  on: string;
  branch?: string;
  match?: string;
  paths?: readonly string[];
  applications?: readonly string[];
  environment: string;
  start?: "auto" | "approve" | "manual";
}
export interface Pushed {
  ref: Ref;
  defaultBranch: string;
  /** Paths that differ from the version before; undefined when there was none. */
  files: readonly string[] | undefined;
}
export interface Fired {
  environment: string;
  start: "auto" | "approve" | "manual";
  /** Only these; all when undefined. */
  applications?: readonly string[];
}

/** The first match per environment counts: a Plan is read from top to bottom. */
export function matchTriggers(triggers: readonly PushTrigger[], pushed: Pushed): Fired[] {
  const fired = new Map<string, Fired>();
  for (const trigger of triggers) {
    if (fired.has(trigger.environment) || !matchesRef(trigger, pushed) || !matchesPaths(trigger, pushed)) continue;
    fired.set(trigger.environment, {
      environment: trigger.environment,
      start: trigger.start ?? "manual",
      ...(trigger.applications && { applications: trigger.applications }),
    });
  }
  return [...fired.values()];
}

function matchesRef(trigger: PushTrigger, { ref, defaultBranch }: Pushed): boolean {
  if (trigger.on === "push") return ref.kind === "branch" && matchesName(trigger.branch ?? defaultBranch, ref.name);
  if (trigger.on === "tag") return ref.kind === "tag" && matchesName(trigger.match ?? "*", ref.name);
  return false;
}

function matchesPaths(trigger: PushTrigger, { files }: Pushed): boolean {
  if (trigger.paths === undefined || files === undefined) return true;
  return files.some(pathMatcher(trigger.paths));
}

/** What a repository follows: its own branch and tags, and those that its Plan's triggers name. */
export interface Followed {
  branch: string;
  tagPattern: string | null;
  triggers: readonly PushTrigger[];
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
