import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import type { Actor } from "../../db/database.ts";
import { settleBuilds } from "../../db/deployments/settle_builds.ts";
import { createVersion } from "../../db/versions/create_version.ts";
import { deleteVersion } from "../../db/versions/delete_version.ts";
import { revertVersion, unrevertVersion } from "../../db/versions/mark_version.ts";
import { listVersions, readVersionStatus } from "../../db/versions/read_versions.ts";
import type { VersionFilter } from "../../db/versions/read_versions.ts";
import { CreateVersion, Id, listOf, ListQuery, ReasonInput, Version, VersionStatus } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";
import { shareReads } from "../share_reads.ts";

const shared = { tags: ["versions"] };
const list = createRoute({
  ...shared,
  method: "get",
  path: "/versions",
  summary: "List versions",
  request: {
    query: ListQuery.extend({
      version: z.string().max(255).optional(),
      commit: z.string().max(64).optional(),
      application: z.string().max(63).optional(),
      repositoryId: Id.optional(),
      status: z.enum(["normal", "revert"]).optional(),
      builds: z.enum(["waiting", "ready", "failed"]).optional(),
    }),
  },
  responses: { 200: json(listOf(Version), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/versions",
  summary: "Record a version, or add what CI built to one that is recorded",
  request: { body: jsonBody(CreateVersion) },
  responses: { 200: json(Version, "Builds added"), 201: json(Version, "Recorded"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/versions/{id}",
  summary: "Read a version",
  request: { params: IdParams },
  responses: { 200: json(Version, "The version"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/versions/{id}",
  summary: "Delete a version that was never deployed",
  request: { params: IdParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses },
});
const mark = (verb: "revert" | "unrevert", summary: string) =>
  createRoute({
    ...shared,
    method: "post",
    path: `/versions/{id}/${verb}`,
    summary,
    request: { params: IdParams, body: jsonBody(ReasonInput) },
    responses: { 200: json(Version, "As it is now"), ...problemResponses },
  });
const revert = mark("revert", "Mark a version as bad: nothing deploys it by itself any more");
const unrevert = mark("unrevert", "Clear the mark");
const status = createRoute({
  ...shared,
  method: "get",
  path: "/versions/{id}/status",
  summary: "Where it was deployed, and where it runs",
  request: { params: IdParams },
  responses: { 200: json(VersionStatus, "Deployments and targets"), ...problemResponses },
});

export function versionRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (actor: Actor, id: string): Promise<Version> => {
    const [row] = await listVersions(db, actor.projectId, { id, limit: 1 });
    if (!row) throw new AppError("not_found", "version.unknown", "There is no such version.");
    return Version.parse(row);
  };

  // With all their applications they are long, and every dashboard asks for them when one is added.
  const readPage = shareReads(async ({ projectId, filter }: { projectId: string; filter: VersionFilter }) =>
    page(await listVersions(db, projectId, filter), filter.limit, (row) => Version.parse(row))
  );
  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const { projectId } = actorOf(c);
    return c.json(await readPage({ projectId, filter: { ...filter, limit, after: decodeCursor(cursor) } }), 200);
  });
  router.openapi(create, async (c) => {
    const { id, created } = await createVersion(deps, c.req.valid("json"), actorOf(c));
    // Deployments that waited for exactly this may go on.
    if (!created) await settleBuilds(deps, id);
    return c.json(await read(actorOf(c), id), created ? 201 : 200);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(remove, async (c) => {
    await deleteVersion(deps, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  for (const [route, act] of [[revert, revertVersion], [unrevert, unrevertVersion]] as const) {
    router.openapi(route, async (c) => {
      const { id } = c.req.valid("param");
      await act(deps, id, c.req.valid("json").reason, actorOf(c));
      return c.json(await read(actorOf(c), id), 200);
    });
  }
  router.openapi(status, async (c) => {
    const { id } = await read(actorOf(c), c.req.valid("param").id);
    const found = await readVersionStatus(db, actorOf(c).projectId, id);
    return c.json(VersionStatus.parse({ versionId: id, ...found }), 200);
  });
  return router;
}
