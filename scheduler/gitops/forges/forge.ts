/** What each provider's API is called, and how: where comments and statuses go, and what their answers mean. Pure. */
import type { CommitSaying } from "../../../domain/commit_status.ts";

export interface ForgeCall {
  method: "POST" | "PUT" | "PATCH";
  path: string;
  body: unknown;
}
/** `url` is where the status leads to. */
export type ForgeStatus = Pick<CommitSaying, "context" | "state" | "description"> & { url: string };

export interface Forge {
  /** Of the API, when the repository is on this host. */
  base: (host: string) => string;
  authorize: (token: string) => string;
  /** As it stands in paths, of `owner/name`. */
  repository: (path: string) => string;
  /** What a token must be allowed, for whoever makes one. */
  needs: { comment: string; status: string };
  /** All comments of a pull request, the oldest first; `page` as `nextPage` gave it, "1" at first. */
  listComments: (repository: string, number: number, page: string) => string;
  items: (answer: unknown) => unknown[];
  /** Undefined behind the last one. */
  nextPage: (answer: unknown, page: string) => string | undefined;
  /** Undefined of what is no comment of a person's any more: deleted, or the provider's own. */
  textOf: (item: unknown) => unknown;
  createComment: (repository: string, number: number, text: string) => ForgeCall;
  updateComment: (repository: string, number: number, id: string, text: string) => ForgeCall;
  setStatus: (repository: string, commit: string, status: ForgeStatus) => ForgeCall;
  /** An answer that refuses a status because it stands there already. */
  isThere?: (httpStatus: number, answer: string) => boolean;
}

export const PAGE = 100;
export const segments = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
export const asList = (answer: unknown): unknown[] => (Array.isArray(answer) ? answer : []);
export const basic = (pair: string): string => `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(pair)))}`;
/** Of `user:token`, as Git takes it, the token. */
export const bareToken = (token: string): string => token.slice(token.indexOf(":") + 1);
/** Where pages are numbered and full until the last. */
export const numbered = (size: number) => (answer: unknown, page: string): string | undefined =>
  asList(answer).length < size ? undefined : String(Number(page) + 1);
