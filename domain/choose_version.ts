/** Which version a trigger deploys when no push names one: `latest`, `latest-verified:ENVIRONMENT`, or a name. */
import { parseDuration } from "./duration.ts";
import type { Ref } from "./git_ref.ts";
import { judgeSoak } from "./judge_soak.ts";
import type { Stay } from "./judge_soak.ts";
import { whyNotOrigin } from "./match_trigger.ts";
import type { TriggerEvent, TriggerRule } from "./trigger.ts";

export type Selector =
  | { kind: "latest" }
  | { kind: "verified"; environment: string }
  | { kind: "name"; name: string };

const VERIFIED = "latest-verified:";

/** @returns undefined for a selector that names nothing */
export function parseSelector(text: string): Selector | undefined {
  if (text === "latest") return { kind: "latest" };
  if (text === "latest-verified") return undefined;
  if (!text.startsWith(VERIFIED)) return text === "" ? undefined : { kind: "name", name: text };
  const environment = text.slice(VERIFIED.length);
  return environment === "" ? undefined : { kind: "verified", environment };
}

/** What is deployed when a trigger, or who fires it, names nothing. */
export const defaultSelector = (on: TriggerEvent, rule: TriggerRule): string =>
  rule.version ?? (on === "deployment" ? `${VERIFIED}${rule.of}` : "latest");

export interface Candidate {
  id: string;
  version: string;
  /** Where it was seen at the remote; null of one that was only posted. */
  ref: Ref | null;
  /** Why it is marked as bad; null while it is not. */
  reverted: string | null;
  /** How it does in the environment that the selector asks about; null when it was never deployed there. */
  stay: Stay | null;
}
export type Chosen = { id: string } | { why: string };

/**
 * @param candidates newest first; of a name, those that bear it
 * @param now seconds since 1970, by the database's clock
 */
export function chooseVersion(
  selector: Selector,
  rule: TriggerRule,
  candidates: readonly Candidate[],
  now: number,
): Chosen {
  if (selector.kind === "name") return chooseByName(selector.name, rule, candidates);
  const matching = candidates.filter((c) => whyNotOrigin(rule, c.ref) === undefined);
  if (matching.length === 0) {
    const filter = [rule.branch && `branch ${rule.branch}`, rule.match && `tag ${rule.match}`].filter(Boolean);
    return { why: `there is no version${filter.length > 0 ? ` of ${filter.join(" or ")}` : ""} yet` };
  }
  if (selector.kind === "latest") {
    const good = matching.find((c) => c.reverted === null);
    return good ? { id: good.id } : { why: sayReverted(matching[0]!) };
  }
  let newest: string | undefined;
  for (const { id, stay, reverted } of matching) {
    if (!stay || reverted !== null) continue;
    const soak = judgeSoak(stay, afterSeconds(rule), now);
    if (soak.kind === "well") return { id };
    newest ??= soak.why;
  }
  return { why: newest ?? `no version has been deployed to ${selector.environment}` };
}

function chooseByName(name: string, rule: TriggerRule, candidates: readonly Candidate[]): Chosen {
  if (candidates.length === 0) return { why: `there is no version ${name}` };
  if (candidates.length > 1) {
    return { why: `${candidates.length} repositories have a version ${name}; name it by its id` };
  }
  const [only] = candidates;
  const why = only!.reverted !== null ? sayReverted(only!) : whyNotOrigin(rule, only!.ref);
  return why === undefined ? { id: only!.id } : { why };
}

export const sayReverted = ({ version, reverted }: Pick<Candidate, "version" | "reverted">): string =>
  `version ${version} is marked revert: ${(reverted ?? "").replace(/\.$/, "")}`;

export const afterSeconds = (rule: TriggerRule): number => parseDuration(rule.after ?? "0s") ?? 0;
