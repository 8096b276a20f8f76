/** How a machine becomes an agent: an admin makes a join token, the machine trades it for an identity. */
import { createRoute } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { enrollAgent } from "../../db/agents/enroll_agent.ts";
import { createEnrollmentToken } from "../../db/enrollment/create_enrollment_token.ts";
import { deleteEnrollmentToken } from "../../db/enrollment/delete_enrollment_token.ts";
import { listEnrollmentTokens } from "../../db/enrollment/read_enrollment_tokens.ts";
import { EnrollRequest, EnrollResponse } from "../../protocol/agent_messages.ts";
import {
  CreatedEnrollmentToken,
  CreateEnrollmentToken,
  EnrollmentToken,
  listOf,
  ListQuery,
} from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { enrollmentLine, publicAddress } from "../install/public_address.ts";
import { limit } from "../middleware/rate_limit.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

/** Per minute from one address: a rack may enrol behind one, a guesser of 256 bits gets nowhere. */
const ENROLMENTS_PER_ADDRESS = 60;
const tags = ["agents"];
const create = createRoute({
  method: "post",
  path: "/enrollment-tokens",
  tags,
  summary: "Make a join token; its text is in this answer and nowhere else",
  request: { body: jsonBody(CreateEnrollmentToken) },
  responses: { 201: json(CreatedEnrollmentToken, "The token"), ...problemResponses },
});
const list = createRoute({
  method: "get",
  path: "/enrollment-tokens",
  tags,
  summary: "Join tokens, newest first",
  request: { query: ListQuery },
  responses: { 200: json(listOf(EnrollmentToken), "A page"), ...problemResponses },
});
const remove = createRoute({
  method: "delete",
  path: "/enrollment-tokens/{id}",
  tags,
  summary: "Withdraw a join token",
  request: { params: IdParams },
  responses: { 204: { description: "Withdrawn" }, ...problemResponses },
});
const enroll = createRoute({
  method: "post",
  path: "/enroll",
  tags,
  summary: "Trade a join token for an identity",
  request: { body: jsonBody(EnrollRequest) },
  responses: { 201: json(EnrollResponse, "The agent's id, and the master it now belongs to"), ...problemResponses },
});

export function enrollmentRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();

  router.openapi(create, async (c) => {
    const { row, token } = await createEnrollmentToken(deps, c.req.valid("json"), actorOf(c));
    const line = enrollmentLine(publicAddress(deps, c), token, deps.caCertificate);
    return c.json(CreatedEnrollmentToken.parse({ ...row, token, line }), 201);
  });
  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const before = decodeCursor(cursor);
    const rows = await listEnrollmentTokens(deps.db, actorOf(c).projectId, { before, limit: limit + 1 });
    return c.json(page(rows, limit, (row) => EnrollmentToken.parse(row)), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteEnrollmentToken(deps.db, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  router.openapi(enroll, async (c) => {
    const peer = c.get("peer");
    await limit(deps.limiter, `enroll:${peer}`, ENROLMENTS_PER_ADDRESS, 60);
    const request = c.req.valid("json");
    try {
      const agent = await enrollAgent(deps, request, peer);
      deps.logger.log("INFO", "an agent enrolled", { ...agent, peer });
      return c.json(
        EnrollResponse.parse({ ...agent, masterId: deps.masterId, releaseKey: deps.release?.publicKey }),
        201,
      );
    } catch (error: unknown) {
      if (error instanceof AppError) {
        deps.logger.log("WARN", "an enrolment was refused", { name: request.name, peer, code: error.code });
      }
      throw error;
    }
  });
  return router;
}
