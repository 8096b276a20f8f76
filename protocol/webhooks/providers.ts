import type { Provider } from "../api/catalog.ts";
import { bitbucket } from "./bitbucket.ts";
import { generic } from "./generic.ts";
import { forgejo, gitea } from "./gitea.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import type { WebhookProvider } from "./webhook.ts";

/** Which of these speaks for a hook is decided by the registered repository, never by the request. */
export const WEBHOOK_PROVIDERS: Record<Provider, WebhookProvider> = {
  github,
  gitlab,
  gitea,
  forgejo,
  bitbucket,
  generic,
};
