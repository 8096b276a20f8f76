/** Versions as context: who carries a commit, and what changed between two versions. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { readCarriers } from "../../db/versions/read_carriers.ts";
import { readChanges, readComparedVersion } from "../../db/versions/read_changes.ts";
import type { ComparedVersion } from "../../db/versions/read_changes.ts";
import { Carriers, Id, VersionChanges } from "../../protocol/http_api.ts";
import { askMirrors } from "../ask_mirrors.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { DEFAULT_LIMIT } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, problemResponses } from "../route.ts";

const shared = { tags: ["versions"], method: "get" as const };
const carriers = createRoute({
  ...shared,
  path: "/commits/{sha}/deployments",
  summary: "Every version, place and deployment that contains a commit",
  request: {
    params: z.object({ sha: z.string().regex(/^[0-9a-f]{7,64}$/, "a commit, or at least its first 7 digits") }),
  },
  responses: { 200: json(Carriers, "What carries it"), ...problemResponses },
});
const wholeNumber = (most: number) =>
  z.string().regex(/^\d{1,6}$/, "a whole number").transform(Number).refine((n) => n <= most, `at most ${most}`);
const changes = createRoute({
  ...shared,
  path: "/versions/{id}/changes",
  summary: "What changed since another version: commits, and what would run differently",
  request: {
    params: IdParams,
    query: z.object({
      since: Id,
      /** Of the commits. */
      limit: wholeNumber(200).optional(),
      commitsFrom: wholeNumber(999_999).optional(),
    }),
  },
  responses: { 200: json(VersionChanges, "From the older to this one"), ...problemResponses },
});

export function historyRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();

  router.openapi(carriers, async (c) => {
    const { projectId } = actorOf(c);
    const input = { sha: c.req.valid("param").sha };
    const found = await askMirrors(deps, { projectId, repositoryId: null, kind: "contains", input });
    const carried = await readCarriers(db, projectId, found.versionIds);
    return c.json(Carriers.parse({ commits: found.commits, ...carried }), 200);
  });

  router.openapi(changes, async (c) => {
    const { projectId } = actorOf(c);
    const { since, limit = DEFAULT_LIMIT, commitsFrom = 0 } = c.req.valid("query");
    const [from, to] = await Promise.all(
      [since, c.req.valid("param").id].map((id) => readComparedVersion(db, projectId, id)),
    );
    if (!from || !to) throw new AppError("not_found", "version.unknown", "There is no such version.");
    const [between, applications] = await Promise.all([
      commitsBetween(deps, projectId, from, to, { skip: commitsFrom, limit }),
      commitsFrom > 0 ? [] : readChanges(db, projectId, from, to),
    ]);
    return c.json(VersionChanges.parse({ from, to, ...between, applications }), 200);
  });
  return router;
}

type Between = Pick<VersionChanges, "relation" | "commits" | "nextCommitsFrom" | "commitsMissing">;

/** What cannot be listed does not keep the rest from being shown. */
async function commitsBetween(
  deps: ApiDeps,
  projectId: string,
  from: ComparedVersion,
  to: ComparedVersion,
  { skip, limit }: { skip: number; limit: number },
): Promise<Between> {
  const none = (commitsMissing: string): Between => ({
    relation: "unrelated",
    commits: [],
    nextCommitsFrom: null,
    commitsMissing,
  });
  if (to.repositoryId === null || from.repositoryId !== to.repositoryId) {
    return none("The versions are not of one registered repository, so no commits lie between them.");
  }
  if (from.gitCommit === null || to.gitCommit === null) return none("One of the versions names no commit.");
  try {
    const { commits, relation } = await askMirrors(deps, {
      projectId,
      repositoryId: to.repositoryId,
      kind: "commits",
      input: { base: from.gitCommit, commit: to.gitCommit, skip, limit },
    });
    const nextCommitsFrom = commits.length > limit ? skip + limit : null;
    return { relation, commits: commits.slice(0, limit), nextCommitsFrom, commitsMissing: null };
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    return none(error.message);
  }
}
