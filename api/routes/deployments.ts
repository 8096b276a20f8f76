/** Deployments: plan, look, act. Every act answers with the deployment as it is afterwards. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import type { Actor } from "../../db/database.ts";
import { approveDeployment, rejectDeployment } from "../../db/deployments/approve_deployment.ts";
import { cancelDeployment } from "../../db/deployments/cancel_deployment.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { editDeployment } from "../../db/deployments/edit_deployment.ts";
import { pauseDeployment, resumeDeployment } from "../../db/deployments/pause_deployment.ts";
import { previewDeployment } from "../../db/deployments/preview_deployment.ts";
import { getDeploymentWithTasks, listDeployments } from "../../db/deployments/read_deployments.ts";
import { previewRemoval, removeApplications } from "../../db/deployments/remove_applications.ts";
import { retryDeployment } from "../../db/deployments/retry_deployment.ts";
import { rollbackDeployment } from "../../db/deployments/rollback_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { promoteDeployment } from "../../db/rollouts/promote_deployment.ts";
import { skipWaits } from "../../db/rollouts/skip_wait.ts";
import { readTimeline } from "../../db/events/read_events.ts";
import {
  Act,
  CreateDeployment,
  CreateRemoval,
  Deployment,
  DeploymentWithTasks,
  Id,
  listOf,
  ListQuery,
  Preview,
  PreviewCommit,
  StartDeployment,
  TimelineEntry,
  UpdateDeployment,
} from "../../protocol/http_api.ts";
import { askMirrors } from "../ask_mirrors.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { timelineEvent } from "../live/tell_changes.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, optionalJsonBody, problemResponses } from "../route.ts";

const TIMELINE_ENTRIES = 1000;
const tags = ["deployments"];
const create = createRoute({
  method: "post",
  path: "/deployments",
  tags,
  summary: "Plan one version to one environment; nothing runs before it is started",
  request: { body: jsonBody(CreateDeployment) },
  responses: { 201: json(DeploymentWithTasks, "Planned"), ...problemResponses },
});
const preview = createRoute({
  method: "post",
  path: "/deployments/preview",
  tags,
  summary: "The plan that would be made, of a version or of a commit that none stands for; nothing is stored",
  request: { body: jsonBody(z.union([CreateDeployment, PreviewCommit])) },
  responses: { 200: json(Preview, "The plan"), ...problemResponses },
});
const createRemoval = createRoute({
  method: "post",
  path: "/deployments/removals",
  tags,
  summary: "Plan to take applications away from where they run in an environment; `start` starts it at once",
  request: { body: jsonBody(CreateRemoval) },
  responses: { 201: json(DeploymentWithTasks, "Planned, or begun"), ...problemResponses },
});
const removalPreview = createRoute({
  method: "post",
  path: "/deployments/removals/preview",
  tags,
  summary: "What would be taken away, from where and in which order; nothing is stored",
  request: { body: jsonBody(CreateRemoval) },
  responses: { 200: json(Preview, "The plan"), ...problemResponses },
});
const list = createRoute({
  method: "get",
  path: "/deployments",
  tags,
  summary: "Deployments, newest first",
  request: {
    query: ListQuery.extend({
      status: z.enum(DEPLOYMENT_STATES).optional(),
      environmentId: Id.optional(),
      versionId: Id.optional(),
      applicationId: Id.optional(),
    }),
  },
  responses: { 200: json(listOf(Deployment), "A page"), ...problemResponses },
});
const get = createRoute({
  method: "get",
  path: "/deployments/{id}",
  tags,
  summary: "One deployment with its task tree",
  request: { params: IdParams },
  responses: { 200: json(DeploymentWithTasks, "The deployment"), ...problemResponses },
});
const timeline = createRoute({
  method: "get",
  path: "/deployments/{id}/timeline",
  tags,
  summary: `What happened to it, in order; the last ${TIMELINE_ENTRIES}`,
  request: { params: IdParams },
  responses: { 200: json(z.object({ items: z.array(TimelineEntry) }), "The timeline"), ...problemResponses },
});
const edit = createRoute({
  method: "patch",
  path: "/deployments/{id}",
  tags,
  summary: "Reorder or re-plan a deployment that has not started; the batch size also while it runs",
  request: { params: IdParams, body: jsonBody(UpdateDeployment) },
  responses: { 200: json(DeploymentWithTasks, "The new plan"), ...problemResponses },
});
const act = <A extends string>(name: A, summary: string) =>
  createRoute({
    method: "post",
    path: `/deployments/{id}/${name}`,
    tags,
    summary,
    request: { params: IdParams, body: optionalJsonBody(Act) },
    responses: { 200: json(DeploymentWithTasks, "The deployment afterwards"), ...problemResponses },
  });

const start = createRoute({
  method: "post",
  path: "/deployments/{id}/start",
  tags,
  summary: "Start it; in spite of a freeze with an override, for those whose role may",
  request: { params: IdParams, body: optionalJsonBody(StartDeployment) },
  responses: { 200: json(DeploymentWithTasks, "The deployment afterwards"), ...problemResponses },
});

type Verb = (deps: ApiDeps, id: string, actor: Actor, note?: string) => Promise<unknown>;
const ACTS: readonly [ReturnType<typeof act>, Verb][] = [
  [act("cancel", "Stop it; running work is asked to stop"), cancelDeployment],
  [act("pause", "Let running tasks end and start no new ones"), pauseDeployment],
  [act("resume", "Go on after a pause"), resumeDeployment],
  [act("rollback", "Bring back what ran before"), rollbackDeployment],
  [act("approve", "Approve its plan"), approveDeployment],
  [act("reject", "Reject its plan, which ends it"), rejectDeployment],
  [act("retry", "Try its failed tasks again"), retryDeployment],
  [act("promote", "Pass over the waits and gates of what is being rolled out; approvals stay"), promoteDeployment],
  [act("skip", "End the waits and gates of the moment, and the watch over a release, now"), skipWaits],
];

export function deploymentRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const { db } = deps;
  const read = async (actor: Actor, id: string) => {
    const deployment = await getDeploymentWithTasks(db, actor.projectId, id);
    if (!deployment) {
      throw new AppError("not_found", "deployment.not_found", `There is no deployment ${id} in this project.`);
    }
    return DeploymentWithTasks.parse(deployment);
  };

  router.openapi(create, async (c) => {
    const actor = actorOf(c);
    const id = await createDeployment(deps, c.req.valid("json"), actor);
    return c.json(await read(actor, id), 201);
  });
  router.openapi(preview, async (c) => {
    const input = c.req.valid("json");
    if ("versionId" in input) return c.json(Preview.parse(await previewDeployment(deps, input, actorOf(c))), 200);
    const { repositoryId, environmentId, ref = null, commit = null } = input;
    const { projectId } = actorOf(c);
    const question = { projectId, repositoryId, kind: "plan" as const, input: { environmentId, ref, commit } };
    return c.json(Preview.parse((await askMirrors(deps, question)).preview), 200);
  });
  router.openapi(createRemoval, async (c) => {
    const actor = actorOf(c);
    const id = await removeApplications(deps, c.req.valid("json"), actor);
    return c.json(await read(actor, id), 201);
  });
  router.openapi(removalPreview, async (c) => {
    return c.json(Preview.parse(await previewRemoval(deps, c.req.valid("json"), actorOf(c))), 200);
  });
  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const before = decodeCursor(cursor);
    const rows = await listDeployments(db, actorOf(c).projectId, { ...filter, before, limit: limit + 1 });
    return c.json(page(rows, limit, (row) => Deployment.parse(row)), 200);
  });
  router.openapi(get, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(timeline, async (c) => {
    const actor = actorOf(c);
    const { id } = c.req.valid("param");
    const rows = await readTimeline(db, actor.projectId, id, TIMELINE_ENTRIES);
    if (rows.length === 0) await read(actor, id);
    return c.json({ items: rows.flatMap((row) => timelineEvent(row) ?? []).map((e) => TimelineEntry.parse(e)) }, 200);
  });
  router.openapi(edit, async (c) => {
    const actor = actorOf(c);
    const { id } = c.req.valid("param");
    await editDeployment(deps, id, c.req.valid("json"), actor);
    return c.json(await read(actor, id), 200);
  });
  router.openapi(start, async (c) => {
    const actor = actorOf(c);
    const { id } = c.req.valid("param");
    const { note, override } = c.req.valid("json");
    await startDeployment(deps, id, actor, note, override);
    return c.json(await read(actor, id), 200);
  });
  for (const [route, verb] of ACTS) {
    router.openapi(route, async (c) => {
      const actor = actorOf(c);
      const { id } = c.req.valid("param");
      await verb(deps, id, actor, c.req.valid("json").note);
      return c.json(await read(actor, id), 200);
    });
  }
  return router;
}
