/** The running thing: what an application consists of on each target, and what it prints. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { getApplication } from "../../db/applications/read_applications.ts";
import { listBindings } from "../../db/applications/read_bindings.ts";
import { listAppStates } from "../../db/environments/read_app_states.ts";
import { AppError } from "../../domain/app_error.ts";
import { AppStateItem, Id, listOf } from "../../protocol/http_api.ts";
import { OUTPUT_LINES } from "../../protocol/observed.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { followOutput, readOutput } from "../live/follow_output.ts";
import { observeNow } from "../live/observe_now.ts";
import { stillAllowed } from "../live/still_allowed.ts";
import { createStreamLimit } from "../live/stream_limit.ts";
import { actorOf, createRouter, IdParams, json, problemResponses } from "../route.ts";

const DEFAULT_LINES = 200;
const PairParams = IdParams.extend({ environmentId: Id });
const resources = createRoute({
  method: "get",
  path: "/applications/{id}/environments/{environmentId}/resources",
  tags: ["applications"],
  summary: "What runs of it there: one item per target, as its agent sees it now, or saw it last",
  request: {
    params: PairParams,
    query: z.object({
      /** `false`: what is known, without asking the agents. */
      fresh: z.enum(["true", "false"]).optional(),
    }),
  },
  responses: { 200: json(listOf(AppStateItem), "By target"), ...problemResponses },
});
const logs = createRoute({
  method: "get",
  path: "/applications/{id}/environments/{environmentId}/logs",
  tags: ["logs"],
  summary: "What it prints on a target: the last lines; with follow=true also what comes",
  request: {
    params: PairParams,
    query: z.object({
      /** May be left out where there is one only. */
      target: z.string().max(253).optional(),
      /** Lines to begin with. */
      tail: z.string().regex(/^\d{1,4}$/, "must be a number of lines").transform(Number).optional(),
      follow: z.enum(["true", "false"]).optional(),
    }),
  },
  responses: {
    200: {
      description: "Text, masked; X-Target names the target",
      content: { "text/plain": { schema: z.string() } },
    },
    ...problemResponses,
  },
});

export function runningRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const limit = createStreamLimit();

  async function readStates(projectId: string, id: string, environmentId: string): Promise<AppStateItem[]> {
    if (!await getApplication(deps.db, projectId, id)) {
      throw new AppError("not_found", "application.unknown", "There is no such application.");
    }
    const rows = await listAppStates(deps.db, projectId, { environmentId, applicationId: id });
    if (rows.length > 0 || (await listBindings(deps.db, projectId, id, environmentId)).length > 0) return rows;
    // Never deployed there and never bound there is a wrong address; bound and not deployed yet is an empty list.
    throw new AppError("not_found", "binding.unknown", "This application is not bound to this environment.");
  }

  router.openapi(resources, async (c) => {
    const { projectId } = actorOf(c);
    const { id, environmentId } = c.req.valid("param");
    let rows = await readStates(projectId, id, environmentId);
    if (c.req.valid("query").fresh !== "false" && await observeNow(deps, projectId, rows)) {
      rows = await readStates(projectId, id, environmentId);
    }
    return c.json({ items: rows.map((row) => AppStateItem.parse(row)), nextCursor: null }, 200);
  });

  router.openapi(logs, async (c) => {
    const { projectId, userId } = actorOf(c);
    const { id, environmentId } = c.req.valid("param");
    const { target, tail = DEFAULT_LINES, follow } = c.req.valid("query");
    const row = chooseTarget(await readStates(projectId, id, environmentId), target);
    const place = { projectId, agentId: row.agent!.id, environmentId, applicationId: id };
    const lines = Math.min(Math.max(tail, 1), OUTPUT_LINES);
    const headers = {
      "X-Target": encodeURIComponent(row.target),
      "Content-Type": "text/plain; charset=utf-8",
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    };
    if (follow !== "true") {
      const text = new TextDecoder().decode(await readOutput(deps, place, lines, row.target));
      return c.text(text, 200, headers);
    }
    const following = {
      ...deps,
      stillAllowed: stillAllowed(deps, c),
      // Nobody reads, or ends, the body of a HEAD.
      ...(c.req.method !== "HEAD" && { onEnd: limit.enter(userId ?? c.get("caller")) }),
    };
    // A stream of text, which the type of a text answer does not know.
    return new Response(followOutput(following, place, lines, row.target), { headers }) as never;
  });
  return router;
}

function chooseTarget(rows: readonly AppStateItem[], target: string | undefined): AppStateItem {
  const names = rows.map((row) => row.target);
  const row = target === undefined && rows.length === 1 ? rows[0] : rows.find((each) => each.target === target);
  if (!row) {
    if (rows.length === 0) {
      throw new AppError("not_found", "application.not_running", "It was never deployed there; deploy it first.");
    }
    const which = target === undefined ? "It runs on several targets" : `It does not run on ${target}`;
    throw new AppError("invalid", "target.unknown", `${which}; choose one with target=: ${names.join(", ")}.`);
  }
  if (row.agent?.connected) return row;
  const since = row.agent?.lastSeenAt ? ` since ${row.agent.lastSeenAt}` : "";
  throw new AppError(
    "unavailable",
    "agent.disconnected",
    `${row.agent?.name ?? row.target} is not connected${since}; what it prints can be read when it is back.`,
  );
}
