/** GitLab: comments are notes of a merge request, a status is an external job of the commit. */
import { at } from "../../../protocol/webhooks/webhook.ts";
import { PAGE } from "./forge.ts";
import type { Forge } from "./forge.ts";
import { github } from "./github.ts";

const STATES = {
  pending: "pending",
  running: "running",
  success: "success",
  failure: "failed",
  cancelled: "canceled",
};
const notes = (project: string, number: number) => `/projects/${project}/merge_requests/${number}/notes`;

export const gitlab: Forge = {
  ...github,
  base: (host) => `https://${host}/api/v4`,
  repository: encodeURIComponent,
  needs: { comment: "the scope api", status: "the scope api and the role Developer" },
  listComments: (project, number, page) =>
    `${notes(project, number)}?sort=asc&order_by=created_at&per_page=${PAGE}&page=${page}`,
  // "changed the description": GitLab's own notes stand among people's.
  textOf: (item) => (at(item, "system") === true ? undefined : at(item, "body")),
  createComment: (project, number, body) => ({ method: "POST", path: notes(project, number), body: { body } }),
  updateComment: (project, number, id, body) => ({
    method: "PUT",
    path: `${notes(project, number)}/${id}`,
    body: { body },
  }),
  setStatus: (project, commit, { context, state, description, url }) => ({
    method: "POST",
    path: `/projects/${project}/statuses/${commit}`,
    body: { state: STATES[state], name: context, description, target_url: url },
  }),
  // A job moves forward only: pending again, or from running back to pending, is "Cannot transition status via ...".
  isThere: (httpStatus, answer) => httpStatus === 400 && answer.includes("Cannot transition status"),
};
