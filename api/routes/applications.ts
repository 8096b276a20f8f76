import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { parseRepositoryAddress } from "../../domain/repository_address.ts";
import { bindEnvironment } from "../../db/applications/bind_environment.ts";
import { createApplication } from "../../db/applications/create_application.ts";
import { deleteApplication } from "../../db/applications/delete_application.ts";
import { handOver } from "../../db/applications/hand_over.ts";
import { getApplication, listApplications } from "../../db/applications/read_applications.ts";
import { listBindings } from "../../db/applications/read_bindings.ts";
import { listHistory } from "../../db/applications/read_history.ts";
import { approveApplication, dismissApplication } from "../../db/applications/settle_proposal.ts";
import { updateApplication } from "../../db/applications/update_application.ts";
import type { Actor } from "../../db/database.ts";
import {
  Application,
  BindEnvironment,
  Binding,
  CreateApplication,
  HandOver,
  HistoryItem,
  Id,
  listOf,
  ListQuery,
  UpdateApplication,
} from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["applications"] };
const PairParams = IdParams.extend({ environmentId: Id });
const list = createRoute({
  ...shared,
  method: "get",
  path: "/applications",
  summary: "List applications",
  request: {
    query: ListQuery.extend({
      name: z.string().max(63).optional(),
      environmentId: Id.optional(),
      repositoryId: Id.optional(),
      /** `active` unless told. */
      state: z.enum(["active", "proposed", "dismissed", "archived"]).optional(),
    }),
  },
  responses: { 200: json(listOf(Application), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/applications",
  summary: "Add an application",
  request: { body: jsonBody(CreateApplication) },
  responses: { 201: json(Application, "Added"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/applications/{id}",
  summary: "Read an application",
  request: { params: IdParams },
  responses: { 200: json(Application, "The application"), ...problemResponses },
});
const update = createRoute({
  ...shared,
  method: "patch",
  path: "/applications/{id}",
  summary: "Change an application; recorded versions keep what they have",
  request: { params: IdParams, body: jsonBody(UpdateApplication) },
  responses: { 200: json(Application, "As it is now"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/applications/{id}",
  summary: "Delete an application that no version knows",
  request: { params: IdParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses },
});
const settle = (verb: "approve" | "dismiss", summary: string) =>
  createRoute({
    ...shared,
    method: "post",
    path: `/applications/{id}/${verb}`,
    summary,
    request: { params: IdParams },
    responses: { 200: json(Application, "As it is now"), ...problemResponses },
  });
const approve = settle("approve", "Make an application of what a repository's file proposed");
const dismiss = settle("dismiss", "Turn down what a repository's file proposed");
const hand = createRoute({
  ...shared,
  method: "post",
  path: "/applications/{id}/hand-over",
  summary: "Give an application to another repository, archived or not; what runs of it stays",
  request: { params: IdParams, body: jsonBody(HandOver) },
  responses: { 200: json(Application, "As it is now"), ...problemResponses },
});
const bindings = createRoute({
  ...shared,
  method: "get",
  path: "/applications/{id}/environments",
  summary: "Environments it is bound to, with what is overlaid there",
  request: { params: IdParams },
  responses: { 200: json(listOf(Binding), "By name"), ...problemResponses },
});
const binding = createRoute({
  ...shared,
  method: "get",
  path: "/applications/{id}/environments/{environmentId}",
  summary: "Read one binding",
  request: { params: PairParams },
  responses: { 200: json(Binding, "The binding"), ...problemResponses },
});
const bind = createRoute({
  ...shared,
  method: "put",
  path: "/applications/{id}/environments/{environmentId}",
  summary: "Bind it to an environment, or change what is overlaid there",
  request: { params: PairParams, body: jsonBody(BindEnvironment) },
  responses: { 200: json(Binding, "Bound"), ...problemResponses },
});
const history = createRoute({
  ...shared,
  method: "get",
  path: "/applications/{id}/history",
  summary: "Every deployment of it and how its part ended",
  request: { params: IdParams, query: ListQuery },
  responses: { 200: json(listOf(HistoryItem), "Newest first"), ...problemResponses },
});

export function applicationRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (actor: Actor, id: string): Promise<Application> => {
    const row = await getApplication(db, actor.projectId, id);
    if (!row) throw new AppError("not_found", "application.unknown", "There is no such application.");
    return Application.parse(row);
  };
  const readBinding = async (actor: Actor, id: string, environmentId: string): Promise<z.infer<typeof Binding>> => {
    const [row] = await listBindings(db, actor.projectId, id, environmentId);
    if (!row) throw new AppError("not_found", "binding.unknown", "This application is not bound to this environment.");
    return Binding.parse(row);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const after = decodeCursor(cursor);
    const rows = await listApplications(db, actorOf(c).projectId, { ...filter, limit, after });
    return c.json(page(rows, limit, (row) => Application.parse(row)), 200);
  });
  router.openapi(create, async (c) => {
    const input = c.req.valid("json");
    if (input.repository !== null) checkAddress(input.repository);
    const id = await createApplication(deps, input, actorOf(c));
    return c.json(await read(actorOf(c), id), 201);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    await updateApplication(deps, id, c.req.valid("json"), actorOf(c));
    return c.json(await read(actorOf(c), id), 200);
  });
  for (const [route, act] of [[approve, approveApplication], [dismiss, dismissApplication]] as const) {
    router.openapi(route, async (c) => {
      const { id } = c.req.valid("param");
      await act(deps, id, actorOf(c));
      return c.json(await read(actorOf(c), id), 200);
    });
  }
  router.openapi(hand, async (c) => {
    const { id } = c.req.valid("param");
    await handOver(deps, id, c.req.valid("json").repositoryId, actorOf(c));
    return c.json(await read(actorOf(c), id), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteApplication(deps, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });

  router.openapi(bindings, async (c) => {
    const actor = actorOf(c);
    const { id } = await read(actor, c.req.valid("param").id);
    const rows = await listBindings(db, actor.projectId, id);
    return c.json({ items: rows.map((row) => Binding.parse(row)), nextCursor: null }, 200);
  });
  router.openapi(binding, async (c) => {
    const { id, environmentId } = c.req.valid("param");
    await read(actorOf(c), id);
    return c.json(await readBinding(actorOf(c), id, environmentId), 200);
  });
  router.openapi(bind, async (c) => {
    const { id, environmentId } = c.req.valid("param");
    await bindEnvironment(
      deps,
      { applicationId: id, environmentId, config: c.req.valid("json").config },
      actorOf(c),
    );
    return c.json(await readBinding(actorOf(c), id, environmentId), 200);
  });
  router.openapi(history, async (c) => {
    const actor = actorOf(c);
    const { id } = await read(actor, c.req.valid("param").id);
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const rows = await listHistory(db, actor.projectId, id, { limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => HistoryItem.parse({ ...row, taskId: row.id })), 200);
  });
  return router;
}

/** It is shown to everybody, so it must not hold a password; and it must be one that could be registered later. */
function checkAddress(repository: string): void {
  const parsed = parseRepositoryAddress(repository, { allowFile: true });
  if (!("problem" in parsed)) return;
  throw new AppError("invalid", "request.invalid", `The body does not fit: repository ${parsed.problem}.`, [
    { path: "repository", message: parsed.problem },
  ]);
}
