/** Tasks: what runs, what waits and for whom. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { TASK_STATUSES, TASK_STEPS } from "../../domain/task_state.ts";
import type { Actor } from "../../db/database.ts";
import { readTaskVotes } from "../../db/approvals/list_requests.ts";
import { approveTask, rejectTask } from "../../db/approvals/vote_on_task.ts";
import { readMeasurements } from "../../db/gates/read_measurements.ts";
import { cancelTask } from "../../db/tasks/cancel_task.ts";
import { decideTask } from "../../db/tasks/decide_task.ts";
import { skipWait } from "../../db/rollouts/skip_wait.ts";
import { getTask, listTasks } from "../../db/tasks/read_tasks.ts";
import { retryTask } from "../../db/tasks/retry_task.ts";
import { Act, DecideTask, Id, listOf, ListQuery, Measurement, Task, TaskWithDetails } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, optionalJsonBody, problemResponses } from "../route.ts";

const tags = ["tasks"];
const list = createRoute({
  method: "get",
  path: "/tasks",
  tags,
  summary: "Tasks of applications, newest first; with tree=all their parts too",
  request: {
    query: ListQuery.extend({
      deploymentId: Id.optional(),
      status: z.enum(TASK_STATUSES).optional(),
      step: z.enum(TASK_STEPS).optional(),
      tree: z.enum(["all"]).optional(),
    }),
  },
  responses: { 200: json(listOf(Task), "A page"), ...problemResponses },
});
const get = createRoute({
  method: "get",
  path: "/tasks/{id}",
  tags,
  summary: "One task; a gate's with its last measurements, an approval's with its votes",
  request: { params: IdParams },
  responses: { 200: json(TaskWithDetails, "The task"), ...problemResponses },
});
const measurements = createRoute({
  method: "get",
  path: "/tasks/{id}/measurements",
  tags,
  summary: "What a gate measured, newest first; the last 1000 are kept",
  request: { params: IdParams, query: ListQuery },
  responses: { 200: json(listOf(Measurement), "A page"), ...problemResponses },
});
const act = <A extends string>(name: A, summary: string) =>
  createRoute({
    method: "post",
    path: `/tasks/{id}/${name}`,
    tags,
    summary,
    request: { params: IdParams, body: optionalJsonBody(Act) },
    responses: { 200: json(Task, "The task afterwards"), ...problemResponses },
  });
const decide = createRoute({
  method: "post",
  path: "/tasks/{id}/decide",
  tags,
  summary: "Decide about a task that failed while its deployment asks, or ask for the release on an excluded machine",
  request: {
    params: IdParams,
    body: jsonBody(DecideTask),
  },
  responses: { 200: json(Task, "The task afterwards"), ...problemResponses },
});

type Verb = (deps: ApiDeps, id: string, actor: Actor, note?: string) => Promise<unknown>;
const ACTS: readonly [ReturnType<typeof act>, Verb][] = [
  [act("retry", "Try a failed task again"), retryTask],
  [act("cancel", "Stop this task"), cancelTask],
  [act("approve", "Approve a step that asks for it; the step says who may"), approveTask],
  [act("reject", "Reject a step that asks for approval, which fails it"), rejectTask],
  [act("skip", "End a wait between batches, or the watch over a release, now"), skipWait],
];

/** Of a gate, with its task. */
const SHOWN_MEASUREMENTS = 100;

function readNumber(cursor: string): number {
  if (/^[1-9]\d{0,8}$/.test(cursor)) return Number(cursor);
  throw new AppError("invalid", "request.cursor", "This cursor is not one of ours; begin again without it.");
}

export function taskRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const { db } = deps;
  const read = async (actor: Actor, id: string) => {
    const task = await getTask(db, actor.projectId, id);
    if (!task) throw new AppError("not_found", "task.not_found", `There is no task ${id} in this project.`);
    return Task.parse(task);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, tree, ...filter } = c.req.valid("query");
    const wanted = { ...filter, wholeTree: tree === "all", before: decodeCursor(cursor) };
    const rows = await listTasks(db, actorOf(c).projectId, wanted, limit + 1);
    return c.json(page(rows, limit, (row) => Task.parse(row)), 200);
  });
  router.openapi(get, async (c) => {
    const task = await read(actorOf(c), c.req.valid("param").id);
    const [measured, votes] = await Promise.all([
      task.type === "gate" ? readMeasurements(db, task.id, { limit: SHOWN_MEASUREMENTS }) : [],
      task.type === "approval" ? readTaskVotes(db, task.id) : [],
    ]);
    return c.json({ ...task, measurements: measured, votes }, 200);
  });
  router.openapi(measurements, async (c) => {
    const { id } = await read(actorOf(c), c.req.valid("param").id);
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const before = cursor === undefined ? null : readNumber(cursor);
    const rows = (await readMeasurements(db, id, { limit: limit + 1, before })).map((row) => Measurement.parse(row));
    const items = rows.slice(0, limit);
    return c.json({ items, nextCursor: rows.length > limit ? String(items.at(-1)!.number) : null }, 200);
  });
  for (const [route, verb] of ACTS) {
    router.openapi(route, async (c) => {
      const actor = actorOf(c);
      const { id } = c.req.valid("param");
      await read(actor, id);
      await verb(deps, id, actor, c.req.valid("json").note);
      return c.json(await read(actor, id), 200);
    });
  }
  router.openapi(decide, async (c) => {
    const actor = actorOf(c);
    const { id } = c.req.valid("param");
    const { choice, note } = c.req.valid("json");
    await decideTask(deps, id, choice, actor, note);
    return c.json(await read(actor, id), 200);
  });
  return router;
}
