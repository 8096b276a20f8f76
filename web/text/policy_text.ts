/** An environment's rules in a few words. */
import type { Policy } from "../../protocol/http_api.ts";
import type { MessageKey, Params } from "../i18n/locale.ts";

export function policyText(
  policy: Policy | Record<string, unknown>,
  t: (key: MessageKey, params?: Params) => string,
): string {
  const { branches, tags, approvals, freezes, agentsRequired } = policy as Policy;
  return [
    branches?.length && t("policy.branches", { list: branches.join(", ") }),
    tags?.length && t("policy.tags", { list: tags.join(", ") }),
    approvals?.count && t("policy.approvals", { count: approvals.count }),
    freezes?.length && t("policy.freezes", { count: freezes.length }),
    agentsRequired && t("policy.agents", { count: agentsRequired }),
  ].filter(Boolean).join(" · ");
}
