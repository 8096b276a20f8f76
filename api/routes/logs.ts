/** The output of tasks: the exact bytes, followed as text or as events, or lines by number. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { createLineIndex } from "../../db/logs/line_index.ts";
import { findTaskLog } from "../../db/logs/read_log.ts";
import type { LogPosition, TaskLog } from "../../db/logs/read_log.ts";
import { LogLines } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { EVENT_STREAM_HEADERS } from "../live/event_frame.ts";
import { followLogAsEvents, followLogAsText } from "../live/follow_log.ts";
import { followPartsAsText } from "../live/follow_parts.ts";
import { createLogFeed } from "../live/log_feed.ts";
import { logAnswer, streamAnswer } from "../live/log_document.ts";
import { stillAllowed } from "../live/still_allowed.ts";
import { createStreamLimit } from "../live/stream_limit.ts";
import { actorOf, createRouter, IdParams, json, problemResponses } from "../route.ts";

const MAX_LINES = 2000;
const count = z.string().regex(/^\d{1,15}$/, "must be a whole number").transform(Number);
const readBytes = createRoute({
  method: "get",
  path: "/tasks/{id}/logs",
  tags: ["logs"],
  summary: "The exact bytes of a task's log; with follow=true as they come",
  request: {
    params: IdParams,
    query: z.object({
      /** The latest when absent. */
      attempt: count.optional(),
      offset: count.optional(),
      limit: count.optional(),
      follow: z.enum(["true", "false"]).optional(),
      download: z.enum(["0", "1"]).optional(),
    }),
    headers: z.object({
      /** `attempt:offset`, of the last event that was received. */
      "last-event-id": z.string().regex(/^\d{1,9}:\d{1,15}$/, "must be attempt:offset").optional(),
    }),
  },
  responses: {
    200: {
      description:
        "X-Attempt: the attempt; X-Next-Offset: where the next bytes will be. Of a parent, its parts labelled",
      content: {
        "text/plain": { schema: z.string() },
        "text/event-stream": { schema: z.string() },
      },
    },
    ...problemResponses,
  },
});
const readLines = createRoute({
  method: "get",
  path: "/tasks/{id}/logs/lines",
  tags: ["logs"],
  summary: "Lines by number, for viewers that jump",
  request: {
    params: IdParams,
    query: z.object({ attempt: count.optional(), from: count.optional(), count: count.optional() }),
  },
  responses: { 200: json(LogLines, "Fewer than asked for may come; ask again from there"), ...problemResponses },
});

export function logRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const lineIndex = createLineIndex(deps.db);
  const feed = createLogFeed(deps);
  const limit = createStreamLimit();

  router.openapi(readBytes, async (c) => {
    const { id } = c.req.valid("param");
    const query = c.req.valid("query");
    const { projectId, userId } = actorOf(c);
    const asEvents = c.req.header("accept")?.includes("text/event-stream") ?? false;
    const resume = asEvents ? parsePosition(c.req.valid("header")["last-event-id"]) : undefined;
    const log = await findLog(deps, projectId, id, resume?.attempt ?? query.attempt);
    const attempt = log.isLeaf ? log.sources[0]!.attempt : undefined;
    const common: Record<string, string> = attempt === undefined ? {} : { "X-Attempt": String(attempt) };

    const follow = () => ({
      ...deps,
      logs: feed,
      stillAllowed: stillAllowed(deps, c),
      // Nobody reads, or ends, the body of a HEAD.
      ...(c.req.method !== "HEAD" && { onEnd: limit.enter(userId ?? c.get("caller")) }),
    });
    if (asEvents) {
      if (attempt === undefined) throw isParent("followed as events");
      const start = { attempt, offset: resume?.offset ?? query.offset ?? 0 };
      return c.body(followLogAsEvents(follow(), id, start), 200, { ...common, ...EVENT_STREAM_HEADERS });
    }
    const headers = { ...common, "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" };
    if (query.follow === "true") {
      const body = attempt === undefined
        ? followPartsAsText(follow(), projectId, id)
        : followLogAsText(follow(), id, { attempt, offset: query.offset ?? 0 });
      return c.body(body, 200, headers);
    }
    const answer = logAnswer(log, query.offset ?? 0, query.limit);
    return c.body(streamAnswer(deps.db, answer), 200, {
      ...headers,
      ...(answer.size !== undefined && { "Content-Length": String(answer.size) }),
      "X-Next-Offset": String(answer.nextOffset),
      ...(query.download === "1" && { "Content-Disposition": `attachment; filename="${id}.log"` }),
    });
  });

  router.openapi(readLines, async (c) => {
    const { id } = c.req.valid("param");
    const query = c.req.valid("query");
    const log = await findLog(deps, actorOf(c).projectId, id, query.attempt);
    if (!log.isLeaf) throw isParent("read by line");
    const { attempt } = log.sources[0]!;
    const from = query.from ?? 0;
    const found = await lineIndex.lines(id, attempt, from, Math.min(query.count ?? MAX_LINES, MAX_LINES));
    return c.json(LogLines.parse({ attempt, from, ...found }), 200);
  });

  return router;
}

async function findLog(deps: ApiDeps, projectId: string, taskId: string, attempt?: number): Promise<TaskLog> {
  const log = await findTaskLog(deps.db, projectId, taskId, attempt);
  if (!log) throw new AppError("not_found", "task.not_found", `There is no task ${taskId} in this project.`);
  const latest = Math.max(1, log.latestAttempt);
  if (log.isLeaf && attempt !== undefined && (attempt < 1 || attempt > latest)) {
    throw new AppError(
      "not_found",
      "log.attempt",
      `This task has no attempt ${attempt}; its attempts are 1 to ${latest}.`,
    );
  }
  return log;
}

const isParent = (what: string) =>
  new AppError(
    "invalid",
    "log.parts",
    `This task has parts, each with a log of its own that can be ${what}: GET /tasks?tree=all&deploymentId=... names them.`,
  );

function parsePosition(text: string | undefined): LogPosition | undefined {
  const [attempt, offset] = text?.split(":").map(Number) ?? [];
  return attempt === undefined ? undefined : { attempt, offset: offset! };
}
