/** GitHub: HMAC-SHA256 in `X-Hub-Signature-256`. The older SHA-1 header is never looked at. */
import { isHexSignature } from "./signature.ts";
import { at, deliveryKey, otherEvent, pullEvent, pushEvent, textAt } from "./webhook.ts";
import type { HookEvent, WebhookProvider } from "./webhook.ts";

export const github: WebhookProvider = {
  verify: (request) => isHexSignature(request.header("x-hub-signature-256"), "sha256=", request),
  read(payload, header, body) {
    const key = deliveryKey(header("x-github-delivery"), body);
    const event = header("x-github-event");
    // `after` of an annotated tag is the tag object; it is peeled when the commit is fetched.
    if (event === "pull_request") return [pullOf(payload, key)];
    return [
      event === "push"
        ? pushEvent("push", textAt(payload, "ref"), textAt(payload, "after"), key)
        : otherEvent(event, key),
    ];
  },
  addresses: (payload) =>
    ["clone_url", "ssh_url", "html_url"].flatMap((name) => textAt(payload, "repository", name) ?? []),
};

/** Others (labels, reviews, closing) change nothing about what would be deployed. */
const CHANGES = ["opened", "reopened", "synchronize", "synchronized", "edited"];

/** GitHub's payload, which Gitea and Forgejo send too. */
export function pullOf(payload: unknown, key: string): HookEvent {
  const action = textAt(payload, "action");
  if (!CHANGES.includes(action ?? "")) return otherEvent(`pull_request ${action ?? "?"}`, key);
  const here = at(payload, "pull_request", "base", "repo", "id");
  return pullEvent("pull_request", {
    number: at(payload, "pull_request", "number") ?? at(payload, "number"),
    title: textAt(payload, "pull_request", "title"),
    url: textAt(payload, "pull_request", "html_url"),
    base: textAt(payload, "pull_request", "base", "ref"),
    commit: textAt(payload, "pull_request", "head", "sha"),
    // What does not say where it comes from is trusted as little as a fork.
    isFork: here === undefined || at(payload, "pull_request", "head", "repo", "id") !== here,
    ref: (number) => `refs/pull/${number}/head`,
  }, key);
}
