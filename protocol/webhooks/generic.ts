/** Any sender that can sign as Standard Webhooks: body `{ref, commit}`, and `repository` where several share a secret. */
import { isStandardWebhook } from "./signature.ts";
import { deliveryKey, pushEvent, textAt } from "./webhook.ts";
import type { WebhookProvider } from "./webhook.ts";

export const generic: WebhookProvider = {
  verify: isStandardWebhook,
  read: (payload, header, body) => [
    pushEvent("push", textAt(payload, "ref"), textAt(payload, "commit"), deliveryKey(header("webhook-id"), body)),
  ],
  addresses: (payload) => [textAt(payload, "repository") ?? []].flat(),
};
