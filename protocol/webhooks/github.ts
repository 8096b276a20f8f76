/** GitHub: HMAC-SHA256 in `X-Hub-Signature-256`. The older SHA-1 header is never looked at. */
import { isHexSignature } from "./signature.ts";
import { deliveryKey, otherEvent, pushEvent, textAt } from "./webhook.ts";
import type { WebhookProvider } from "./webhook.ts";

export const github: WebhookProvider = {
  verify: (request) => isHexSignature(request.header("x-hub-signature-256"), "sha256=", request),
  read(payload, header, body) {
    const key = deliveryKey(header("x-github-delivery"), body);
    const event = header("x-github-event");
    // `after` of an annotated tag is the tag object; it is peeled when the commit is fetched.
    return [
      event === "push"
        ? pushEvent("push", textAt(payload, "ref"), textAt(payload, "after"), key)
        : otherEvent(event, key),
    ];
  },
  addresses: (payload) =>
    ["clone_url", "ssh_url", "html_url"].flatMap((name) => textAt(payload, "repository", name) ?? []),
};
