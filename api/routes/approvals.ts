/** What waits for a person's yes, and links that carry one person's answer. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { makeApprovalLinks } from "../../db/approvals/make_links.ts";
import { listRequests } from "../../db/approvals/list_requests.ts";
import { ApprovalLink, ApprovalRequest, CreateApprovalLink, Id, listOf, ListQuery } from "../../protocol/http_api.ts";
import { AppError } from "../../domain/app_error.ts";
import { baseOf } from "../../domain/roles.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, json, jsonBody, problemResponses } from "../route.ts";

const tags = ["approvals"];
const list = createRoute({
  method: "get",
  path: "/approvals",
  tags,
  summary: "What waits for your approval, newest first; with all=true also what waits for others",
  request: { query: ListQuery.extend({ all: z.enum(["true"]).optional(), deploymentId: Id.optional() }) },
  responses: { 200: json(listOf(ApprovalRequest), "A page"), ...problemResponses },
});
const link = createRoute({
  method: "post",
  path: "/approvals/links",
  tags,
  summary: "A link that lets one person answer once, for the plan as it is; shown this once",
  request: { body: jsonBody(CreateApprovalLink) },
  responses: { 201: json(ApprovalLink, "The link"), ...problemResponses },
});

export function approvalRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, all, deploymentId } = c.req.valid("query");
    const before = decodeCursor(cursor);
    const open = await listRequests(deps.db, actorOf(c), { all: all === "true", deploymentId });
    const rows = open.filter((one) => before === undefined || one.id < before).slice(0, limit + 1);
    return c.json(page(rows, limit, (row) => ApprovalRequest.parse(row)), 200);
  });
  router.openapi(link, async (c) => {
    const actor = actorOf(c);
    const { username, expiresIn, ...of } = c.req.valid("json");
    if (username !== undefined && baseOf(actor) !== "admin") {
      throw new AppError(
        "forbidden",
        "approval.link",
        "A link is for yourself; leave `username` out, or ask an admin.",
      );
    }
    const [made] = await makeApprovalLinks(
      { db: deps.db, publicUrl: deps.publicUrl, key: deps.keys.blobTicket },
      { ...of, for: username === undefined ? { userIds: [actor.userId!] } : { usernames: [username] } },
      expiresIn,
      actor,
    );
    return c.json(ApprovalLink.parse(made), 201);
  });
  return router;
}
