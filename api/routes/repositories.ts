import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { isRefName } from "../../domain/git_ref.ts";
import { parseRepositoryAddress } from "../../domain/repository_address.ts";
import type { Actor } from "../../db/database.ts";
import { createRepository } from "../../db/repositories/create_repository.ts";
import { deleteRepository } from "../../db/repositories/delete_repository.ts";
import { listDeliveries } from "../../db/repositories/read_deliveries.ts";
import { listRepositories } from "../../db/repositories/read_repositories.ts";
import { redeliver } from "../../db/repositories/redeliver.ts";
import { syncRepository } from "../../db/repositories/sync_repository.ts";
import { updateRepository } from "../../db/repositories/update_repository.ts";
import { listStatuses } from "../../db/statuses/list_statuses.ts";
import { resendStatus } from "../../db/statuses/resend_status.ts";
import {
  CommitStatus,
  CreateRepository,
  Delivery,
  DELIVERY_STATES,
  Id,
  listOf,
  ListQuery,
  Repository,
  UpdateRepository,
} from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["repositories"] };
const list = createRoute({
  ...shared,
  method: "get",
  path: "/repositories",
  summary: "List repositories",
  request: { query: ListQuery },
  responses: { 200: json(listOf(Repository), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/repositories",
  summary: "Register a Git remote",
  request: { body: jsonBody(CreateRepository) },
  responses: { 201: json(Repository, "Registered"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/repositories/{id}",
  summary: "Read a repository; its secrets are never shown",
  request: { params: IdParams },
  responses: { 200: json(Repository, "The repository"), ...problemResponses },
});
const update = createRoute({
  ...shared,
  method: "patch",
  path: "/repositories/{id}",
  summary: "Change a repository",
  request: { params: IdParams, body: jsonBody(UpdateRepository) },
  responses: { 200: json(Repository, "As it is now"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/repositories/{id}",
  summary: "Forget a remote; its versions and what runs stay",
  request: { params: IdParams },
  responses: { 204: { description: "Forgotten" }, ...problemResponses },
});
const sync = createRoute({
  ...shared,
  method: "post",
  path: "/repositories/{id}/sync",
  summary: "Look at the remote now",
  request: { params: IdParams },
  responses: { 202: json(Delivery, "A delivery of the followed branch; tags follow by polling"), ...problemResponses },
});
const deliveries = createRoute({
  ...shared,
  method: "get",
  path: "/repositories/{id}/deliveries",
  summary: "What was pushed, and what came of it",
  request: { params: IdParams, query: ListQuery.extend({ status: z.enum(DELIVERY_STATES).optional() }) },
  responses: { 200: json(listOf(Delivery), "Newest first"), ...problemResponses },
});
const again = createRoute({
  ...shared,
  method: "post",
  path: "/repositories/{id}/deliveries/{deliveryId}/redeliver",
  summary: "Work on a delivery once more",
  request: { params: IdParams.extend({ deliveryId: Id }) },
  responses: { 202: json(Delivery, "The new delivery"), ...problemResponses },
});

const statuses = createRoute({
  ...shared,
  method: "get",
  path: "/repositories/{id}/statuses",
  summary: "What the provider was told of commits",
  request: {
    params: IdParams,
    query: ListQuery.extend({ commit: z.string().regex(/^[0-9a-f]{4,64}$/).optional() }),
  },
  responses: { 200: json(listOf(CommitStatus), "Newest first"), ...problemResponses },
});
const resend = createRoute({
  ...shared,
  method: "post",
  path: "/repositories/{id}/statuses/{statusId}/resend",
  summary: "Tell the provider a commit's status once more",
  request: { params: IdParams.extend({ statusId: Id }) },
  responses: { 202: json(CommitStatus, "As it waits to be told"), ...problemResponses },
});

export function repositoryRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (actor: Actor, id: string): Promise<Repository> => {
    const [row] = await listRepositories(db, actor.projectId, { id, limit: 1 });
    if (!row) throw new AppError("not_found", "repository.unknown", "There is no such repository.");
    return Repository.parse(row);
  };
  const readDelivery = async (actor: Actor, repositoryId: string, id: string) => {
    const [row] = await listDeliveries(db, actor.projectId, { repositoryId, id, limit: 1 });
    return Delivery.parse(row);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const rows = await listRepositories(db, actorOf(c).projectId, { limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => Repository.parse(row)), 200);
  });
  router.openapi(create, async (c) => {
    const input = c.req.valid("json");
    await checkInput(deps, input);
    const id = await createRepository(deps, input, actorOf(c));
    return c.json(await read(actorOf(c), id), 201);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const change = c.req.valid("json");
    await checkInput(deps, change);
    await updateRepository(deps, id, change, actorOf(c));
    return c.json(await read(actorOf(c), id), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteRepository(deps, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  router.openapi(sync, async (c) => {
    const { id } = c.req.valid("param");
    return c.json(await readDelivery(actorOf(c), id, await syncRepository(deps, id, actorOf(c))), 202);
  });
  router.openapi(deliveries, async (c) => {
    const { id } = await read(actorOf(c), c.req.valid("param").id);
    const { limit = DEFAULT_LIMIT, cursor, status } = c.req.valid("query");
    const filter = { repositoryId: id, status, limit, after: decodeCursor(cursor) };
    const rows = await listDeliveries(db, actorOf(c).projectId, filter);
    return c.json(page(rows, limit, (row) => Delivery.parse(row)), 200);
  });
  router.openapi(again, async (c) => {
    const { id, deliveryId } = c.req.valid("param");
    return c.json(await readDelivery(actorOf(c), id, await redeliver(deps, id, deliveryId, actorOf(c))), 202);
  });
  router.openapi(statuses, async (c) => {
    const { id } = await read(actorOf(c), c.req.valid("param").id);
    const { limit = DEFAULT_LIMIT, cursor, commit } = c.req.valid("query");
    const filter = { repositoryId: id, commit, limit, after: decodeCursor(cursor) };
    const rows = await listStatuses(db, actorOf(c).projectId, filter);
    return c.json(page(rows, limit, (row) => CommitStatus.parse(row)), 200);
  });
  router.openapi(resend, async (c) => {
    const { id, statusId } = c.req.valid("param");
    await resendStatus(deps, id, statusId, actorOf(c));
    const [row] = await listStatuses(db, actorOf(c).projectId, { repositoryId: id, id: statusId, limit: 1 });
    return c.json(CommitStatus.parse(row), 202);
  });
  return router;
}

/** What a schema cannot say: an address that we may speak to, and names that Git takes as names. */
async function checkInput(deps: ApiDeps, input: z.infer<typeof UpdateRepository>): Promise<void> {
  const refuse = (path: string, message: string) => {
    throw new AppError("invalid", `repository.${path}`, `${path} ${message}.`, [{ path, message }]);
  };
  if (input.url !== undefined) {
    const parsed = parseRepositoryAddress(input.url, { allowFile: deps.allowFileRepositories });
    if ("problem" in parsed) refuse("url", parsed.problem);
    await deps.checkOutgoing(input.url, "repository");
  }
  if (input.apiUrl) await deps.checkOutgoing(input.apiUrl);
  if (input.branch !== undefined && !isRefName(input.branch)) refuse("branch", "is not the name of a branch");
  if (input.tagPattern === "") refuse("tagPattern", "must not be empty; use * for every tag, null for none");
}
