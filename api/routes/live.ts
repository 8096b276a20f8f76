/** One event stream for a whole page, and how the page changes what it is told. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { SetTopics, TopicsSet } from "../../protocol/live_events.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { createEventFeed } from "../live/event_feed.ts";
import { EVENT_STREAM_HEADERS } from "../live/event_frame.ts";
import { createLiveStream } from "../live/live_stream.ts";
import type { LiveStream } from "../live/live_stream.ts";
import { createLogFeed } from "../live/log_feed.ts";
import { parseResumePoint } from "../live/resume_point.ts";
import { stillAllowed } from "../live/still_allowed.ts";
import { createStreamLimit } from "../live/stream_limit.ts";
import { readTopics } from "../live/topics.ts";
import { actorOf, createRouter, json, jsonBody, problemResponses } from "../route.ts";

const follow = createRoute({
  method: "get",
  path: "/live",
  tags: ["live"],
  summary: "One event stream for a whole page, logs included; go on with Last-Event-ID",
  request: {
    query: z.object({
      /** Separated by commas. */
      topics: z.string().max(20_000).optional(),
      lastEventId: z.string().max(20_000).optional(),
    }),
    headers: z.object({ "last-event-id": z.string().max(20_000).optional() }),
  },
  responses: {
    200: {
      description: "Events as in `LiveEvent`; the first is `stream`",
      content: { "text/event-stream": { schema: z.string() } },
    },
    ...problemResponses,
  },
});
const setTopics = createRoute({
  method: "post",
  path: "/live/{streamId}/topics",
  tags: ["live"],
  summary: "Replace the topics of one's open stream",
  request: { params: z.object({ streamId: z.string().max(100) }), body: jsonBody(SetTopics) },
  responses: { 200: json(TopicsSet, "What the stream serves from now on"), ...problemResponses },
});

export function liveRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const feed = createEventFeed(deps);
  const logs = createLogFeed(deps);
  const limit = createStreamLimit();
  /** The open streams of this process, each with whose it is. */
  const streams = new Map<string, { owner: string; stream: LiveStream }>();

  router.openapi(follow, async (c) => {
    const actor = actorOf(c);
    const owner = actor.userId ?? c.get("caller");
    const query = c.req.valid("query");
    const topics = await readTopics(deps.db, actor.projectId, (query.topics ?? "").split(",").filter(Boolean));
    const lastId = c.req.valid("header")["last-event-id"] ?? query.lastEventId;
    const streamId = crypto.randomUUID();
    const stream: LiveStream = createLiveStream(
      {
        ...deps,
        logs,
        stillAllowed: stillAllowed(deps, c),
        // Nobody reads, or ends, the body of a HEAD.
        ...(c.req.method !== "HEAD" && { onEnd: limit.enter(owner) }),
      },
      feed,
      {
        streamId,
        projectId: actor.projectId,
        topics,
        resume: lastId ? parseResumePoint(lastId) ?? "unreadable" : undefined,
        onOpen: () => void streams.set(streamId, { owner: c.get("caller"), stream }),
        onClose: () => void streams.delete(streamId),
      },
    );
    return c.body(stream.body, 200, EVENT_STREAM_HEADERS);
  });

  router.openapi(setTopics, async (c) => {
    const open = streams.get(c.req.valid("param").streamId);
    // Somebody else's stream is as unknown as one that has ended.
    if (!open || open.owner !== c.get("caller")) {
      throw new AppError("not_found", "live.stream", "This stream is not open here; connect to GET /live again.");
    }
    const topics = await readTopics(deps.db, actorOf(c).projectId, c.req.valid("json").topics);
    open.stream.setTopics(topics);
    return c.json(TopicsSet.parse({ topics: topics.names, refused: topics.refused }), 200);
  });

  return router;
}
