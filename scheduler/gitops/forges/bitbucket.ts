/** Bitbucket Cloud. Bitbucket Server has another API, which is not spoken. */
import { createHash } from "node:crypto";
import { at, textAt } from "../../../protocol/webhooks/webhook.ts";
import { asList, basic, PAGE, segments } from "./forge.ts";
import type { Forge } from "./forge.ts";

const STATES = {
  pending: "INPROGRESS",
  running: "INPROGRESS",
  success: "SUCCESSFUL",
  failure: "FAILED",
  cancelled: "STOPPED",
};
const comments = (repository: string, number: number) => `/repositories/${repository}/pullrequests/${number}/comments`;
/** What tells statuses of a commit apart has forty characters at most; the name beside it has them all. */
const keyOf = (context: string) =>
  context.length <= 40 ? context : createHash("sha256").update(context).digest("hex").slice(0, 40);

export const bitbucket: Forge = {
  base: () => "https://api.bitbucket.org/2.0",
  authorize: (token) => (token.includes(":") ? basic(token) : `Bearer ${token}`),
  repository: segments,
  needs: { comment: "pullrequest:write", status: "repository:write" },
  listComments: (repository, number, page) => `${comments(repository, number)}?pagelen=${PAGE}&page=${page}`,
  items: (answer) => asList(at(answer, "values")),
  // Which page comes next is its to say; the address that it gives is not gone to.
  nextPage(answer) {
    const next = textAt(answer, "next");
    const page = next !== undefined && URL.canParse(next) ? new URL(next).searchParams.get("page") : null;
    return page !== null && /^[\w-]{1,100}$/.test(page) ? page : undefined;
  },
  textOf: (item) => (at(item, "deleted") === true ? undefined : at(item, "content", "raw")),
  createComment: (repository, number, raw) => ({
    method: "POST",
    path: comments(repository, number),
    body: { content: { raw } },
  }),
  updateComment: (repository, number, id, raw) => ({
    method: "PUT",
    path: `${comments(repository, number)}/${id}`,
    body: { content: { raw } },
  }),
  setStatus: (repository, commit, { context, state, description, url }) => ({
    method: "POST",
    path: `/repositories/${repository}/commit/${commit}/statuses/build`,
    body: { key: keyOf(context), name: context, state: STATES[state], description, url },
  }),
};
