/**
 * GitLab: a secret that begins with `whsec_` is a signing token (Standard Webhooks); any other is the plain
 * `X-Gitlab-Token`. One never stands in for the other, so a signed hook cannot be talked down to a token.
 */
import { isSameText, isStandardWebhook } from "./signature.ts";
import { at, deliveryKey, otherEvent, pullEvent, pushEvent, textAt } from "./webhook.ts";
import type { HookEvent, WebhookProvider } from "./webhook.ts";

export const gitlab: WebhookProvider = {
  verify: (request) =>
    request.secret.startsWith("whsec_")
      ? isStandardWebhook(request)
      : isSameText(request.header("x-gitlab-token"), request.secret),
  read(payload, header, body) {
    const key = deliveryKey(header("webhook-id") ?? header("idempotency-key"), body);
    const event = textAt(payload, "object_kind");
    if (event === "merge_request") return [pullOf(payload, key)];
    if (event !== "push" && event !== "tag_push") return [otherEvent(event ?? header("x-gitlab-event"), key)];
    // `checkout_sha` is the commit also of an annotated tag; it is null when the ref was deleted.
    const commit = textAt(payload, "checkout_sha") ?? textAt(payload, "after");
    return [pushEvent(event, textAt(payload, "ref"), commit, key)];
  },
  addresses: (payload) =>
    ["git_http_url", "git_ssh_url", "web_url"].flatMap((name) => textAt(payload, "project", name) ?? []),
};

function pullOf(payload: unknown, key: string): HookEvent {
  const said = at(payload, "object_attributes");
  const action = textAt(said, "action");
  if (!["open", "reopen", "update"].includes(action ?? "")) return otherEvent(`merge_request ${action ?? "?"}`, key);
  const here = at(said, "target_project_id");
  return pullEvent("merge_request", {
    number: at(said, "iid"),
    title: textAt(said, "title"),
    url: textAt(said, "url"),
    base: textAt(said, "target_branch"),
    commit: textAt(said, "last_commit", "id"),
    isFork: here === undefined || at(said, "source_project_id") !== here,
    ref: (number) => `refs/merge-requests/${number}/head`,
  }, key);
}
