import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { TRIGGER_EVENTS, TRIGGER_OUTCOMES } from "../../domain/trigger.ts";
import type { TriggerRule } from "../../domain/trigger.ts";
import type { Actor } from "../../db/database.ts";
import { fireTrigger } from "../../db/triggers/fire_trigger.ts";
import { listRuns } from "../../db/triggers/read_runs.ts";
import { listTriggers } from "../../db/triggers/read_triggers.ts";
import { createTrigger, deleteTrigger, updateTrigger } from "../../db/triggers/write_trigger.ts";
import {
  CreateTrigger,
  FireTrigger,
  Id,
  listOf,
  ListQuery,
  Trigger,
  TriggerRun,
  UpdateTrigger,
} from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { awaitRun } from "../live/await_run.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, optionalJsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["triggers"] };
const list = createRoute({
  ...shared,
  method: "get",
  path: "/triggers",
  summary: "Rules that make deployments: of files and of people, with their next tick and what they said last",
  request: {
    query: ListQuery.extend({
      repositoryId: Id.optional(),
      environment: z.string().max(63).optional(),
      on: z.enum(TRIGGER_EVENTS).optional(),
    }),
  },
  responses: { 200: json(listOf(Trigger), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/triggers",
  summary: "Add a trigger; the environment's policy stands above it",
  request: { body: jsonBody(CreateTrigger) },
  responses: { 201: json(Trigger, "Added"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/triggers/{id}",
  summary: "Read a trigger",
  request: { params: IdParams },
  responses: { 200: json(Trigger, "The trigger"), ...problemResponses },
});
const update = createRoute({
  ...shared,
  method: "patch",
  path: "/triggers/{id}",
  summary: "Change a trigger, or switch it on or off; one of a file can only be switched",
  request: { params: IdParams, body: jsonBody(UpdateTrigger) },
  responses: { 200: json(Trigger, "As it is now"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/triggers/{id}",
  summary: "Remove a person's trigger; what it said stays",
  request: { params: IdParams },
  responses: { 204: { description: "Removed" }, ...problemResponses },
});
const fire = createRoute({
  ...shared,
  method: "post",
  path: "/triggers/{id}/fire",
  summary: "Fire a trigger now, or see what that would do",
  request: { params: IdParams, body: optionalJsonBody(FireTrigger) },
  responses: {
    200: json(TriggerRun, "What came of it"),
    202: json(TriggerRun, "Not decided yet; read GET /trigger-runs/:id"),
    ...problemResponses,
  },
});
const runs = createRoute({
  ...shared,
  method: "get",
  path: "/triggers/{id}/runs",
  summary: "What a trigger said to each event, and why",
  request: { params: IdParams, query: ListQuery.extend({ outcome: z.enum(TRIGGER_OUTCOMES).optional() }) },
  responses: { 200: json(listOf(TriggerRun), "Newest first"), ...problemResponses },
});
const allRuns = createRoute({
  ...shared,
  method: "get",
  path: "/trigger-runs",
  summary: "What triggers said to a delivery, or of a version, and why",
  request: {
    query: ListQuery.extend({
      deliveryId: Id.optional(),
      versionId: Id.optional(),
      outcome: z.enum(TRIGGER_OUTCOMES).optional(),
    }),
  },
  responses: { 200: json(listOf(TriggerRun), "Newest first"), ...problemResponses },
});
const oneRun = createRoute({
  ...shared,
  method: "get",
  path: "/trigger-runs/{id}",
  summary: "Read what a trigger said to one event",
  request: { params: IdParams },
  responses: { 200: json(TriggerRun, "The run"), ...problemResponses },
});

export function triggerRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (actor: Actor, id: string): Promise<Trigger> => {
    const [row] = await listTriggers(db, actor.projectId, { id, limit: 1 });
    if (!row) throw new AppError("not_found", "trigger.unknown", "There is no such trigger.");
    return Trigger.parse(row);
  };
  const readRun = async (actor: Actor, id: string): Promise<TriggerRun> => {
    const [row] = await listRuns(db, actor.projectId, { id, limit: 1 });
    if (!row) throw new AppError("not_found", "trigger_run.unknown", "There is no such run; old ones are removed.");
    return TriggerRun.parse(row);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const rows = await listTriggers(db, actorOf(c).projectId, { ...filter, limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => Trigger.parse(row)), 200);
  });
  router.openapi(create, async (c) => {
    const { name, environmentId, start, repositoryId, enabled, on, ...rule } = c.req.valid("json");
    const input = { name, environmentId, start, repositoryId, enabled, on, rule: rule as TriggerRule };
    return c.json(await read(actorOf(c), await createTrigger(deps, input, actorOf(c))), 201);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const { rule: wanted, ...change } = c.req.valid("json");
    const before = await read(actorOf(c), id);
    await updateTrigger(deps, id, { ...change, ...(wanted && { rule: ruleOf(before, wanted) }) }, actorOf(c));
    return c.json(await read(actorOf(c), id), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteTrigger(deps, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  router.openapi(fire, async (c) => {
    const ask = FireTrigger.parse(c.req.valid("json") ?? {});
    const runId = await fireTrigger(deps, c.req.valid("param").id, ask, actorOf(c));
    const run = await awaitRun(deps, () => readRun(actorOf(c), runId));
    return run.outcome === "waiting" ? c.json(run, 202) : c.json(run, 200);
  });
  router.openapi(runs, async (c) => {
    const { id } = await read(actorOf(c), c.req.valid("param").id);
    const { limit = DEFAULT_LIMIT, cursor, outcome } = c.req.valid("query");
    const filter = { triggerId: id, outcome, limit, after: decodeCursor(cursor) };
    return c.json(page(await listRuns(db, actorOf(c).projectId, filter), limit, (row) => TriggerRun.parse(row)), 200);
  });
  router.openapi(allRuns, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const rows = await listRuns(db, actorOf(c).projectId, { ...filter, limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => TriggerRun.parse(row)), 200);
  });
  router.openapi(oneRun, async (c) => c.json(await readRun(actorOf(c), c.req.valid("param").id), 200));
  return router;
}

/** What a trigger listens to is what it is: another kind is another trigger. */
function ruleOf(trigger: Trigger, { on, ...rule }: { on: string }): TriggerRule {
  if (on === trigger.on) return rule as TriggerRule;
  throw new AppError(
    "invalid",
    "trigger.kind",
    `${trigger.name} listens to ${trigger.on} and cannot be changed to ${on}; add another trigger instead.`,
    [{ path: "rule.on", message: `must be ${trigger.on}` }],
  );
}
