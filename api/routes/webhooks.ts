/**
 * Where Git hosts tell of a push. The order is the safety: which repository (by its id, or by whose secret fits), then the
 * signature over the bytes as they came, only then their meaning, and an answer only when it is durable.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { parseRef } from "../../domain/git_ref.ts";
import type { Ref } from "../../domain/git_ref.ts";
import { whyNotFollowed } from "../../domain/match_trigger.ts";
import { repositoryKey } from "../../domain/repository_address.ts";
import { findRepositoriesOf, findRepository } from "../../db/repositories/read_repositories.ts";
import { readFollowed } from "../../db/repositories/read_followed.ts";
import { recordDeliveries } from "../../db/repositories/record_deliveries.ts";
import type { RecordedDelivery } from "../../db/repositories/record_deliveries.ts";
import { openWebhookSecret } from "../../db/repositories/repository_row.ts";
import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import { Id, PROVIDERS } from "../../protocol/http_api.ts";
import type { Provider } from "../../protocol/http_api.ts";
import { WEBHOOK_PROVIDERS } from "../../protocol/webhooks/providers.ts";
import type { HeaderReader, HookEvent } from "../../protocol/webhooks/webhook.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { problem } from "../error_response.ts";
import { createBodyReader, HOOK_BODY } from "../read_body.ts";
import { limit } from "../middleware/rate_limit.ts";
import { createRouter, json, problemResponses } from "../route.ts";

/** Without an id every secret of a provider's repositories is tried: bounded, so that it stays cheap to refuse. */
const MAX_TRIED = 200;
/** Refusals of one sender per minute, before it is told to wait. */
const MAX_REFUSED = 60;

const Answer = z.object({
  /** null where a repeat was known without asking the database. */
  deliveryId: Id.nullable(),
  status: z.enum(["received", "ignored", "duplicate"]),
}).meta({ id: "WebhookAnswer" });
const responses = {
  200: json(Answer, "This delivery is known already"),
  202: json(Answer, "Durable; it is worked on now, or kept as ignored"),
  ...problemResponses,
};
const ProviderParams = z.object({ provider: z.enum(PROVIDERS) });
const shared = { tags: ["webhooks"], method: "post" as const, responses };
const canonical = createRoute({
  ...shared,
  path: "/webhook/{provider}/{repositoryId}",
  summary: "A push, signed with this repository's webhook secret",
  request: { params: ProviderParams.extend({ repositoryId: Id }) },
});
const byProvider = createRoute({
  ...shared,
  path: "/webhook/{provider}",
  summary: "A push, signed with the secret of the repository that it names",
  request: { params: ProviderParams },
});

interface Hook {
  body: Uint8Array<ArrayBuffer>;
  header: HeaderReader;
}

export function webhookRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const readBody = createBodyReader(deps.clock, HOOK_BODY);
  const late = () => problem(408, "Too slow", "webhook.timeout", "The body did not arrive within 10 s; send it again.");

  router.openapi(canonical, async (c) => {
    const { provider, repositoryId } = c.req.valid("param");
    const repository = await findRepository(deps.db, repositoryId);
    if (!repository || repository.provider !== provider) {
      throw new AppError("not_found", "webhook.unknown", `No ${provider} repository is registered under this address.`);
    }
    const answer = await readBody(c.req.raw, async (body) => {
      const hook = { body, header: (name: string) => c.req.header(name) };
      const verified = await keepVerified(deps, [repository], hook);
      if (verified.length === 0) return await refuse(deps, c.get("peer"));
      return await accept(deps, repository, hook, parseBody(hook));
    });
    if (answer === "late") return late() as never;
    return c.json(answer, answer.status === "duplicate" ? 200 : 202);
  });

  router.openapi(byProvider, async (c) => {
    const { provider } = c.req.valid("param");
    const answer = await readBody(c.req.raw, async (body) => {
      const hook = { body, header: (name: string) => c.req.header(name) };
      const verified = await keepVerified(deps, await findRepositoriesOf(deps.db, provider, MAX_TRIED), hook);
      if (verified.length === 0) return await refuse(deps, c.get("peer"));
      const payload = parseBody(hook);
      const repository = chooseByAddress(verified, provider, payload);
      return await accept(deps, repository, hook, payload);
    });
    if (answer === "late") return late() as never;
    return c.json(answer, answer.status === "duplicate" ? 200 : 202);
  });
  return router;
}

/** Which of them the signature belongs to; each is asked with its own provider's rule. */
async function keepVerified(deps: ApiDeps, candidates: readonly RepositoryRow[], hook: Hook): Promise<RepositoryRow[]> {
  const verified: RepositoryRow[] = [];
  for (const repository of candidates) {
    const secret = await openWebhookSecret(deps.vault, repository);
    if (WEBHOOK_PROVIDERS[repository.provider].verify({ ...hook, secret, now: deps.clock.now() })) {
      verified.push(repository);
    }
  }
  return verified;
}

async function refuse(deps: ApiDeps, peer: string): Promise<never> {
  await limit(deps.limiter, `webhook:${peer}`, MAX_REFUSED, 60);
  throw new AppError(
    "unauthenticated",
    "webhook.signature",
    "The signature does not fit. Check that the hook's secret is the repository's webhookSecret and that it sends JSON.",
  );
}

/** Of a verified body. GitHub's form encoding carries the JSON in one field. */
function parseBody({ body, header }: Hook): unknown {
  const isForm = header("content-type")?.toLowerCase().startsWith("application/x-www-form-urlencoded");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    return JSON.parse(isForm ? new URLSearchParams(text).get("payload") ?? "" : text);
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError) && !(error instanceof RangeError)) throw error;
    throw new AppError(
      "invalid",
      "webhook.body",
      "The signature fits, but the body is not JSON; set the hook to send application/json.",
    );
  }
}

/** The payload may choose among the repositories whose secret it was signed with, and only among those. */
function chooseByAddress(verified: readonly RepositoryRow[], provider: Provider, payload: unknown): RepositoryRow {
  const keys = new Set(WEBHOOK_PROVIDERS[provider].addresses(payload).flatMap((url) => repositoryKey(url) ?? []));
  const named = verified.filter((repository) => keys.has(repositoryKey(repository.url) ?? ""));
  // A generic sender need not name its repository when the secret tells it.
  const chosen = named.length === 0 && keys.size === 0 && provider === "generic" ? verified : named;
  if (chosen.length === 1) return chosen[0]!;
  throw new AppError(
    "unauthenticated",
    "webhook.repository",
    "The signature fits, but not for the repository that the body names. Send the hook to /webhook/<provider>/<repository id>.",
  );
}

async function accept(
  deps: ApiDeps,
  repository: RepositoryRow,
  hook: Hook,
  payload: unknown,
): Promise<z.infer<typeof Answer>> {
  const events = WEBHOOK_PROVIDERS[repository.provider].read(payload, hook.header, hook.body);
  const keys = events.map((event) => `${repository.id}:${event.deliveryKey}`);
  const seen = await Promise.all(keys.map((key) => deps.recentDeliveries?.seen(key) ?? false));
  if (seen.every((known) => known)) return { deliveryId: null, status: "duplicate" };
  const recorded = await record(deps, repository, events);
  // Only now: an id that is remembered before its row is committed would make a repeat of a lost one a no-op.
  await Promise.all(keys.map((key) => deps.recentDeliveries?.remember(key)));
  const chosen = recorded.find((r) => r.status === "received") ?? recorded.find((r) => r.status === "ignored") ??
    recorded[0]!;
  return { deliveryId: chosen.id, status: chosen.status };
}

async function record(
  deps: ApiDeps,
  repository: RepositoryRow,
  events: readonly HookEvent[],
): Promise<RecordedDelivery[]> {
  const followed = await readFollowed(deps.db, repository);
  return await recordDeliveries(
    deps,
    repository,
    "webhook",
    events.map((event) => {
      // A pull request is looked at when the branch is followed that it would go into.
      const ref: Ref | undefined = event.pull
        ? { kind: "branch", name: event.pull.base }
        : event.ref === null
        ? undefined
        : parseRef(event.ref);
      return { ...event, ignoredBecause: event.ignoredBecause ?? (ref && whyNotFollowed(followed, ref)) };
    }),
  );
}
