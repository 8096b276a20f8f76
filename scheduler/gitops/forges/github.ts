/** GitHub, and GitHub Enterprise on a host of its own. A pull request's comments are those of its issue. */
import { at } from "../../../protocol/webhooks/webhook.ts";
import { asList, bareToken, numbered, PAGE, segments } from "./forge.ts";
import type { Forge } from "./forge.ts";

const STATES = { pending: "pending", running: "pending", success: "success", failure: "failure", cancelled: "error" };

export const github: Forge = {
  base: (host) => (host === "github.com" ? "https://api.github.com" : `https://${host}/api/v3`),
  authorize: (token) => `Bearer ${bareToken(token)}`,
  repository: segments,
  needs: { comment: "Pull requests: write", status: "Commit statuses: write" },
  listComments: (repository, number, page) =>
    `/repos/${repository}/issues/${number}/comments?per_page=${PAGE}&page=${page}`,
  items: asList,
  nextPage: numbered(PAGE),
  textOf: (item) => at(item, "body"),
  createComment: (repository, number, body) => ({
    method: "POST",
    path: `/repos/${repository}/issues/${number}/comments`,
    body: { body },
  }),
  updateComment: (repository, _, id, body) => ({
    method: "PATCH",
    path: `/repos/${repository}/issues/comments/${id}`,
    body: { body },
  }),
  setStatus: (repository, commit, { context, state, description, url }) => ({
    method: "POST",
    path: `/repos/${repository}/statuses/${commit}`,
    body: { state: STATES[state], context, description, target_url: url },
  }),
};
