/**
 * Whether a version has stayed well where it was deployed for long enough to go on to the next environment. Pure: what is
 * there and what time it is are given, so a restart of any master changes nothing.
 *
 *   completed, runs there, well --after--> well
 *   not well at the moment     ----------> waits; the time begins anew when it is well again
 *   rolled back, replaced, gone, reverted, or MAX_DAYS later: no
 */

/** Instants in seconds since 1970, by the database's clock. */
export interface Stay {
  environment: string;
  version: string;
  /** Why the version is marked as bad; null while it is not. */
  reverted: string | null;
  status: string;
  completedAt: number | null;
  applications: string[];
  /** A version that went there later and was not taken back. */
  replacedBy: string | null;
  /** Where this version runs now. */
  places: { application: string; target: string; health: string; since: number | null }[];
}
export type Soak =
  | { kind: "well" }
  | { kind: "wait"; until: number; why: string }
  | { kind: "no"; why: string };

/** What is not well by then is for a person to look at. */
export const MAX_DAYS = 7;
/** Looked at again after so long, when it is not well. */
const AGAIN_SECONDS = 60;
const UNWELL = ["degraded", "missing", "progressing"];

export function judgeSoak(stay: Stay, afterSeconds: number, now: number): Soak {
  const { environment, version } = stay;
  const no = (why: string): Soak => ({ kind: "no", why });
  if (stay.reverted !== null) return no(`version ${version} is marked revert: ${stay.reverted.replace(/\.$/, "")}`);
  if (stay.status !== "completed" || stay.completedAt === null) {
    return no(`the deployment of ${version} to ${environment} ended as ${stay.status.replaceAll("_", " ")}`);
  }
  if (stay.replacedBy !== null) return no(`${stay.replacedBy} has gone to ${environment} since ${version}`);
  const gone = stay.applications.find((name) => !stay.places.some((p) => p.application === name));
  if (gone !== undefined) return no(`${gone} does not run ${version} on ${environment} any more`);
  if (now > stay.completedAt + MAX_DAYS * 86_400 + afterSeconds) {
    return no(`${version} did not stay well on ${environment} for long enough within ${MAX_DAYS} days`);
  }
  const unwell = stay.places.find((p) => UNWELL.includes(p.health));
  if (unwell) {
    const where = unwell.target === "-" ? environment : `${unwell.target} of ${environment}`;
    return {
      kind: "wait",
      until: now + Math.min(AGAIN_SECONDS, Math.max(1, afterSeconds)),
      why: `${unwell.application} is ${unwell.health} on ${where}; the time begins anew when it is well`,
    };
  }
  const since = Math.max(stay.completedAt, ...stay.places.map((p) => p.since ?? 0));
  const until = since + afterSeconds;
  if (now >= until) return { kind: "well" };
  return { kind: "wait", until, why: `${version} has to stay well on ${environment} until ${sayInstant(until)}` };
}

const sayInstant = (seconds: number) => new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
