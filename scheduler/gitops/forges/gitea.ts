/**
 * Gitea and Forgejo. Their API is made after GitHub's; comments come all at once, whatever page is asked for, or in
 * pages where a later release has them.
 */
import { basic, numbered } from "./forge.ts";
import type { Forge } from "./forge.ts";
import { github } from "./github.ts";

/** What they give at most, unless their settings say otherwise. */
const PAGE = 50;

export const gitea: Forge = {
  ...github,
  base: (host) => `https://${host}/api/v1`,
  authorize: (token) => (token.includes(":") ? basic(token) : `token ${token}`),
  needs: { comment: "write:issue", status: "write:repository" },
  listComments: (repository, number, page) =>
    `/repos/${repository}/issues/${number}/comments?limit=${PAGE}&page=${page}`,
  nextPage: numbered(PAGE),
};
