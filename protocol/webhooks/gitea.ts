/** Gitea and Forgejo: bare hexadecimal HMAC-SHA256, each in its own header; a bad one is never excused by the other's. */
import { pullOf } from "./github.ts";
import { isHexSignature } from "./signature.ts";
import { deliveryKey, otherEvent, pushEvent, textAt } from "./webhook.ts";
import type { WebhookProvider } from "./webhook.ts";

const likeGitea = (name: "gitea" | "forgejo"): WebhookProvider => ({
  verify: (request) => isHexSignature(request.header(`x-${name}-signature`), "", request),
  read(payload, header, body) {
    const key = deliveryKey(header(`x-${name}-delivery`), body);
    const event = header(`x-${name}-event`);
    if (event === "pull_request") return [pullOf(payload, key)];
    return [
      event === "push"
        ? pushEvent("push", textAt(payload, "ref"), textAt(payload, "after"), key)
        : otherEvent(event, key),
    ];
  },
  addresses: (payload) =>
    ["clone_url", "ssh_url", "html_url"].flatMap((name) => textAt(payload, "repository", name) ?? []),
});

export const gitea = likeGitea("gitea");
export const forgejo = likeGitea("forgejo");
