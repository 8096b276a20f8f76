/** The machines that dial in. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { approveAgent } from "../../db/agents/approve_agent.ts";
import { cordonAgent } from "../../db/agents/cordon_agent.ts";
import { drainAgent } from "../../db/agents/drain_agent.ts";
import { getAgent, listAgents } from "../../db/agents/read_agents.ts";
import { revokeAgent } from "../../db/agents/revoke_agent.ts";
import { rotateAgent } from "../../db/agents/rotate_agent.ts";
import { updateAgent } from "../../db/agents/update_agent.ts";
import type { Actor } from "../../db/database.ts";
import { Act, Agent, Id, listOf, ListQuery, UpdateAgent } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, optionalJsonBody, problemResponses } from "../route.ts";

const tags = ["agents"];
const list = createRoute({
  method: "get",
  path: "/agents",
  tags,
  summary: "Agents, newest first",
  request: {
    query: ListQuery.extend({
      status: z.enum(["connected", "disconnected", "revoked"]).optional(),
      environmentId: Id.optional(),
    }),
  },
  responses: { 200: json(listOf(Agent), "A page"), ...problemResponses },
});
const get = createRoute({
  method: "get",
  path: "/agents/{id}",
  tags,
  summary: "One agent",
  request: { params: IdParams },
  responses: { 200: json(Agent, "The agent"), ...problemResponses },
});
const update = createRoute({
  method: "patch",
  path: "/agents/{id}",
  tags,
  summary: "Replace its labels or the environments it is bound to",
  request: { params: IdParams, body: jsonBody(UpdateAgent) },
  responses: { 200: json(Agent, "The agent afterwards"), ...problemResponses },
});
const revoke = createRoute({
  method: "delete",
  path: "/agents/{id}",
  tags,
  summary: "Revoke its identity and close its connection",
  request: { params: IdParams },
  responses: { 204: { description: "Revoked" }, ...problemResponses },
});
const act = <A extends string>(name: A, summary: string) =>
  createRoute({
    method: "post",
    path: `/agents/{id}/${name}`,
    tags,
    summary,
    request: { params: IdParams, body: optionalJsonBody(Act) },
    responses: { 200: json(Agent, "The agent afterwards"), ...problemResponses },
  });

type Verb = (deps: ApiDeps, id: string, actor: Actor) => Promise<unknown>;
const ACTS: readonly [ReturnType<typeof act>, Verb][] = [
  [act("cordon", "Give it nothing new"), (deps, id, actor) => cordonAgent(deps, id, true, actor)],
  [act("uncordon", "Give it work again"), (deps, id, actor) => cordonAgent(deps, id, false, actor)],
  [act("drain", "Give it nothing new until what runs has ended; uncordon takes it back"), drainAgent],
  [act("approve", "Let a machine work whose token asks for a person's yes"), approveAgent],
  [act("rotate", "Let it make new keys; what runs goes on"), rotateAgent],
];

export function agentRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const read = async (actor: Actor, id: string) => {
    const agent = await getAgent(deps.db, actor.projectId, id);
    if (!agent) throw new AppError("not_found", "agent.not_found", `There is no agent ${id} in this project.`);
    return Agent.parse(agent);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const before = decodeCursor(cursor);
    const rows = await listAgents(deps.db, actorOf(c).projectId, { ...filter, before, limit: limit + 1 });
    return c.json(page(rows, limit, (row) => Agent.parse(row)), 200);
  });
  router.openapi(get, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(update, async (c) => {
    const actor = actorOf(c);
    const { id } = c.req.valid("param");
    await updateAgent(deps, id, c.req.valid("json"), actor);
    return c.json(await read(actor, id), 200);
  });
  router.openapi(revoke, async (c) => {
    await revokeAgent(deps, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  for (const [route, verb] of ACTS) {
    router.openapi(route, async (c) => {
      const actor = actorOf(c);
      const { id } = c.req.valid("param");
      await read(actor, id);
      await verb(deps, id, actor);
      return c.json(await read(actor, id), 200);
    });
  }
  return router;
}
