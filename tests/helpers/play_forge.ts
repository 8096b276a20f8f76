/**
 * Plays a provider's API as its documentation has it: paths, headers, pages, shapes of answers and of errors. It keeps
 * comments and statuses; whatever is asked wrongly it refuses as the provider would, so a test that passes has spoken
 * the provider's own language.
 */
import { onTestFinished } from "vitest";
import type { Provider } from "../../protocol/http_api.ts";

export type PlayedProvider = Exclude<Provider, "generic">;
export interface Call {
  method: string;
  path: string;
  authorization: string | null;
  body: unknown;
}
export interface PlayedStatus {
  commit: string;
  context: string;
  state: string;
  description: string;
  url: string;
}
export interface PlayedForge {
  calls: Call[];
  /** Oldest first. `author` is whoever's token wrote it. */
  comments: { id: number; text: string; author: string; isSystem?: boolean; isDeleted?: boolean }[];
  /** What was set, in order: the last of a context is what stands there. */
  statuses: PlayedStatus[];
  /** Answered first, once each, whatever is asked. */
  trouble: Trouble[];
  url: string;
}
export interface Trouble {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}
type Answer = { status: number; body: unknown; headers?: Record<string, string> };

/** Of the repository whose address ends in this path. */
interface Manner {
  authorization: (token: string) => string;
  /** Longest page. */
  page: number;
  comments: (repository: string) => RegExp;
  comment: (repository: string) => RegExp;
  update: "PUT" | "PATCH";
  status: (repository: string) => RegExp;
  list(forge: PlayedForge, query: URLSearchParams, self: string): unknown;
  show(comment: PlayedForge["comments"][number]): unknown;
  textOf(body: Record<string, unknown>): unknown;
  set(forge: PlayedForge, commit: string, body: Record<string, string>): Answer;
  error(status: number, said: string): unknown;
}

const number = (query: URLSearchParams, name: string, most: number, unless: number) =>
  Math.min(most, Number(query.get(name) ?? unless));
const slice = <T>(all: T[], query: URLSearchParams, size: number) => {
  const page = Number(query.get("page") ?? 1);
  return all.slice((page - 1) * size, page * size);
};
const isOneOf = (allowed: string, state: unknown) => allowed.split(" ").includes(String(state));
const refuse = (status: number, body: unknown): Answer => ({ status, body });

const github: Manner = {
  authorization: (token) => `Bearer ${token}`,
  page: 100,
  comments: (repository) => new RegExp(`^/repos/${repository}/issues/7/comments$`),
  comment: (repository) => new RegExp(`^/repos/${repository}/issues/comments/(\\d+)$`),
  update: "PATCH",
  status: (repository) => new RegExp(`^/repos/${repository}/statuses/([0-9a-f]{40})$`),
  list: (forge, query) =>
    slice(forge.comments, query, number(query, "per_page", 100, 30)).map((one) => github.show(one)),
  show: ({ id, text, author }) => ({ id, node_id: "x", user: { login: author }, body: text }),
  textOf: (body) => body.body,
  set(forge, commit, { state, context = "default", description = "", target_url = "" }) {
    if (!isOneOf("error failure pending success", state) || description.length > 140) {
      return refuse(422, { message: "Validation Failed", errors: [{ resource: "Status", code: "custom" }] });
    }
    forge.statuses.push({ commit, context, state: state!, description, url: target_url });
    return { status: 201, body: { id: forge.statuses.length, state, context } };
  },
  error: (_, message) => ({ message, documentation_url: "https://docs.example.com/rest" }),
};
/** All comments at once, however they are asked for. */
const gitea: Manner = {
  ...github,
  authorization: (token) => `token ${token}`,
  list: (forge) => forge.comments.map((one) => github.show(one)),
  error: (_, message) => ({ message, url: "https://git.example.com/api/swagger" }),
};
const gitlab: Manner = {
  ...github,
  comments: (repository) => new RegExp(`^/projects/${encodeURIComponent(repository)}/merge_requests/7/notes$`),
  comment: (repository) => new RegExp(`^/projects/${encodeURIComponent(repository)}/merge_requests/7/notes/(\\d+)$`),
  update: "PUT",
  status: (repository) => new RegExp(`^/projects/${encodeURIComponent(repository)}/statuses/([0-9a-f]{40})$`),
  list(forge, query) {
    const newestFirst = query.get("sort") !== "asc";
    const all = newestFirst ? forge.comments.toReversed() : forge.comments;
    return slice(all, query, number(query, "per_page", 100, 20)).map((one) => gitlab.show(one));
  },
  show: ({ id, text, author, isSystem = false }) => ({
    id,
    body: text,
    author: { username: author },
    system: isSystem,
  }),
  set(forge, commit, { state, name = "default", description = "", target_url = "" }) {
    if (!isOneOf("pending running success failed canceled skipped", state)) {
      return refuse(400, { error: "state does not have a valid value" });
    }
    const there = forge.statuses.findLast((one) => one.commit === commit && one.context === name);
    const isOpen = there?.state === "pending" || there?.state === "running";
    if (isOpen && (state === "pending" || state === there.state)) {
      const event = state === "pending" ? "enqueue" : "run";
      there.description = description;
      return refuse(400, {
        message:
          `Cannot transition status via :${event} from :${there.state} (Reason(s): Status cannot transition via "${event}")`,
      });
    }
    forge.statuses.push({ commit, context: name, state: state!, description, url: target_url });
    return { status: 201, body: { id: forge.statuses.length, sha: commit, status: state, name } };
  },
  error: (status, message) => (status === 404 ? { message: `404 ${message}` } : { message }),
};
const bitbucket: Manner = {
  ...github,
  comments: (repository) => new RegExp(`^/repositories/${repository}/pullrequests/7/comments$`),
  comment: (repository) => new RegExp(`^/repositories/${repository}/pullrequests/7/comments/(\\d+)$`),
  update: "PUT",
  status: (repository) => new RegExp(`^/repositories/${repository}/commit/([0-9a-f]{40})/statuses/build$`),
  list(forge, query, self) {
    const size = number(query, "pagelen", 100, 10);
    const page = Number(query.get("page") ?? 1);
    const isLast = page * size >= forge.comments.length;
    return {
      pagelen: size,
      page,
      size: forge.comments.length,
      values: slice(forge.comments, query, size).map((one) => bitbucket.show(one)),
      ...(!isLast && { next: `https://api.bitbucket.org/2.0${self}?pagelen=${size}&page=${page + 1}` }),
    };
  },
  show: ({ id, text, author, isDeleted = false }) => ({
    id,
    type: "pullrequest_comment",
    content: { raw: text, markup: "markdown", html: "" },
    user: { display_name: author },
    deleted: isDeleted,
  }),
  textOf: (body) => (body.content as { raw?: unknown } | undefined)?.raw,
  set(forge, commit, { key = "", state, name = "", description = "", url = "" }) {
    if (key.length > 40) {
      const said = `Ensure this value has at most 40 characters (it has ${key.length}).`;
      return refuse(400, { type: "error", error: { message: `key: ${said}`, fields: { key: [said] } } });
    }
    if (!isOneOf("SUCCESSFUL FAILED INPROGRESS STOPPED", state) || !/^https?:\/\//.test(url)) {
      return refuse(400, { type: "error", error: { message: "Bad request" } });
    }
    forge.statuses.push({ commit, context: name, state: state!, description, url });
    return { status: 201, body: { key, state, type: "build" } };
  },
  error: (_, message) => ({ type: "error", error: { message } }),
};
const MANNERS: Record<PlayedProvider, Manner> = { github, gitea, forgejo: gitea, gitlab, bitbucket };
export const LONGEST_PAGE = (provider: PlayedProvider): number => MANNERS[provider].page;
export const sayError = (provider: PlayedProvider, status: number, said: string): unknown =>
  MANNERS[provider].error(status, said);

/** @param repository `owner/name`, as the registered address ends */
export function playForge(provider: PlayedProvider, repository: string, token = "TOKEN"): PlayedForge {
  const manner = MANNERS[provider];
  const forge: PlayedForge = { calls: [], comments: [], statuses: [], trouble: [], url: "" };
  const answer = (call: Call, query: URLSearchParams): Answer => {
    const trouble = forge.trouble.shift();
    if (trouble) return { body: manner.error(trouble.status, "no"), ...trouble };
    if (call.authorization !== manner.authorization(token)) return refuse(401, manner.error(401, "Bad credentials"));
    const body = (call.body ?? {}) as Record<string, unknown>;
    if (manner.comments(repository).test(call.path)) {
      if (call.method === "GET") return { status: 200, body: manner.list(forge, query, call.path) };
      const text = manner.textOf(body);
      if (call.method !== "POST" || typeof text !== "string") return refuse(400, manner.error(400, "Bad request"));
      forge.comments.push({ id: 1000 + forge.comments.length, text, author: "boreas" });
      return { status: 201, body: manner.show(forge.comments.at(-1)!) };
    }
    const id = manner.comment(repository).exec(call.path)?.[1];
    const one = forge.comments.find((comment) => String(comment.id) === id && !comment.isDeleted);
    if (id !== undefined && call.method === manner.update) {
      if (!one) return refuse(404, manner.error(404, "Not found"));
      if (one.author !== "boreas") return refuse(403, manner.error(403, "Forbidden"));
      one.text = String(manner.textOf(body));
      return { status: 200, body: manner.show(one) };
    }
    const commit = manner.status(repository).exec(call.path)?.[1];
    if (commit !== undefined && call.method === "POST") {
      return manner.set(forge, commit, body as Record<string, string>);
    }
    return refuse(404, manner.error(404, "Not found"));
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const text = await request.text();
    const isJson = request.headers.get("content-type") === "application/json";
    const call: Call = {
      method: request.method,
      path: pathname.slice("/api".length),
      authorization: request.headers.get("authorization"),
      body: isJson && text !== "" ? JSON.parse(text) : undefined,
    };
    forge.calls.push(call);
    const { status, body, headers } = answer(call, searchParams);
    return Response.json(body, { status, headers });
  });
  onTestFinished(() => server.shutdown());
  forge.url = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/api`;
  return forge;
}
