/** One comment on a pull request, written by each provider's API and found again by its hidden mark. */
import { parseRepositoryAddress } from "../../domain/repository_address.ts";
import type { Provider } from "../../protocol/http_api.ts";
import { at } from "../../protocol/webhooks/webhook.ts";
import { callOut, OutgoingError, readText } from "./outgoing_http.ts";
import type { OutgoingDeps, OutgoingRequest } from "./outgoing_http.ts";

export interface PullPlace {
  provider: Provider;
  url: string;
  apiUrl: string | null;
  repositoryId: string;
  number: number;
}
/** What will not get better by trying again: what to mend, in a sentence. */
export class RefusedComment extends Error {
  override readonly name = "RefusedComment";
}

interface CommentApi {
  base: (host: string) => string;
  repository: (path: string) => string;
  /** All of a pull request's comments; `page` begins at 1. */
  list: (repository: string, number: number, page: number) => string;
  isPaged: boolean;
  items: (answer: unknown) => unknown[];
  textOf: (item: unknown) => unknown;
  create: (repository: string, number: number) => string;
  update: (repository: string, number: number, id: string) => { method: "PUT" | "PATCH"; path: string };
  body: (text: string) => unknown;
  authorize: (token: string) => string;
}

const segments = (path: string) => path.split("/").map(encodeURIComponent).join("/");
const basic = (pair: string) => `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(pair)))}`;
/** Of `user:token`, as Git takes it, the token. */
const bare = (token: string) => token.slice(token.indexOf(":") + 1);
const asList = (answer: unknown): unknown[] => (Array.isArray(answer) ? answer : []);

const github: CommentApi = {
  base: (host) => (host === "github.com" ? "https://api.github.com" : `https://${host}/api/v3`),
  repository: segments,
  list: (repository, number, page) => `/repos/${repository}/issues/${number}/comments?per_page=100&page=${page}`,
  isPaged: true,
  items: asList,
  textOf: (item) => at(item, "body"),
  create: (repository, number) => `/repos/${repository}/issues/${number}/comments`,
  update: (repository, _, id) => ({ method: "PATCH", path: `/repos/${repository}/issues/comments/${id}` }),
  body: (body) => ({ body }),
  authorize: (token) => `Bearer ${bare(token)}`,
};
const gitea: CommentApi = {
  ...github,
  base: (host) => `https://${host}/api/v1`,
  list: (repository, number) => `/repos/${repository}/issues/${number}/comments`,
  isPaged: false,
  authorize: (token) => (token.includes(":") ? basic(token) : `token ${token}`),
};
const APIS: Record<Exclude<Provider, "generic">, CommentApi> = {
  github,
  gitea,
  forgejo: gitea,
  gitlab: {
    ...github,
    base: (host) => `https://${host}/api/v4`,
    repository: encodeURIComponent,
    list: (repository, number, page) =>
      `/projects/${repository}/merge_requests/${number}/notes?sort=asc&order_by=created_at&per_page=100&page=${page}`,
    create: (repository, number) => `/projects/${repository}/merge_requests/${number}/notes`,
    update: (repository, number, id) => ({
      method: "PUT",
      path: `/projects/${repository}/merge_requests/${number}/notes/${id}`,
    }),
  },
  bitbucket: {
    ...github,
    base: () => "https://api.bitbucket.org/2.0",
    list: (repository, number, page) =>
      `/repositories/${repository}/pullrequests/${number}/comments?pagelen=100&page=${page}`,
    items: (answer) => asList(at(answer, "values")),
    textOf: (item) => at(item, "content", "raw"),
    create: (repository, number) => `/repositories/${repository}/pullrequests/${number}/comments`,
    update: (repository, number, id) => ({
      method: "PUT",
      path: `/repositories/${repository}/pullrequests/${number}/comments/${id}`,
    }),
    body: (raw) => ({ content: { raw } }),
    authorize: (token) => (token.includes(":") ? basic(token) : `Bearer ${token}`),
  },
};
const PAGE = 100;
const MOST_PAGES = 20;
const ANSWER_BYTES = 8 * 1024 * 1024;

/** Markdown shows nothing of it, whichever provider renders it. */
export const markOf = (repositoryId: string) => `[//]: # (boreas-plan ${repositoryId})`;

/**
 * Writes the comment, or the one that is there anew.
 * @throws OutgoingError where another attempt may help, RefusedComment where somebody must mend something
 */
export async function tellPull(
  deps: OutgoingDeps,
  place: PullPlace,
  token: string,
  text: string,
): Promise<"created" | "updated"> {
  if (place.provider === "generic") throw new RefusedComment("a generic repository has no API for comments");
  const api = APIS[place.provider];
  const parsed = parseRepositoryAddress(place.url, { allowFile: true });
  if ("problem" in parsed) throw new RefusedComment(`the repository's address ${parsed.problem}`);
  const { host, path } = parsed.address;
  if (host === "" && place.apiUrl === null) {
    throw new RefusedComment("a folder has no API; set the repository's apiUrl");
  }
  const base = (place.apiUrl ?? api.base(host.replace(/:\d+$/, ""))).replace(/\/+$/, "");
  const repository = api.repository(path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, ""));
  const mark = markOf(place.repositoryId);
  const body = JSON.stringify(api.body(`${mark}\n\n${text}`));
  const call = (request: OutgoingRequest, path: string) => callApi(deps, base + path, api.authorize(token), request);

  const id = await findComment(api, (page) => call({}, api.list(repository, place.number, page)), mark);
  if (id !== undefined) {
    const { method, path } = api.update(repository, place.number, id);
    await call({ method, body }, path);
    return "updated";
  }
  await call({ method: "POST", body }, api.create(repository, place.number));
  return "created";
}

/** The oldest that bears the mark: whoever copies it later does not get ours written over theirs. */
async function findComment(
  api: CommentApi,
  read: (page: number) => Promise<unknown>,
  mark: string,
): Promise<string | undefined> {
  for (let page = 1; page <= MOST_PAGES; page++) {
    const items = api.items(await read(page));
    const mine = items.find((item) => String(api.textOf(item) ?? "").startsWith(mark));
    const id = at(mine, "id");
    if (typeof id === "number" || (typeof id === "string" && /^[\w-]+$/.test(id))) return String(id);
    if (!api.isPaged || items.length < PAGE) return undefined;
  }
  return undefined;
}

async function callApi(
  deps: OutgoingDeps,
  url: string,
  authorization: string,
  request: OutgoingRequest,
): Promise<unknown> {
  const headers = {
    authorization,
    accept: "application/json",
    "user-agent": "boreas",
    ...(request.body !== undefined && { "content-type": "application/json" }),
  };
  // A token goes to the address that it was given for, and nowhere that this address points to.
  return await callOut(deps, url, { ...request, headers, maxRedirects: 0 }, async (response) => {
    const text = await readText(response, ANSWER_BYTES);
    if (response.status >= 200 && response.status < 300) return parse(text);
    const what = `the provider's API answers ${response.status} at ${new URL(url).host}`;
    if (response.status >= 500 || response.status === 429) throw new OutgoingError(`${what}.`);
    const isToken = [401, 403, 404].includes(response.status);
    throw new RefusedComment(isToken ? `${what}; check the repository's statusToken and what it may do` : what);
  });
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RefusedComment("the provider's API does not answer JSON; check the repository's apiUrl");
  }
}
