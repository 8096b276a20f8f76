/** What every provider's hook comes down to. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { storableText } from "../../domain/storable_text.ts";
import { isCommit, isRefName, isZeroCommit, parseRef } from "../../domain/git_ref.ts";

/** Value of a header by its lower-case name. */
export type HeaderReader = (name: string) => string | undefined;

/** What is verified: the bytes as they came, before anything is parsed. */
export interface SignedRequest {
  body: Uint8Array;
  header: HeaderReader;
  secret: string;
  /** For signatures that carry a time. */
  now: Date;
}

export const PullRequest = z.object({
  number: z.number().int(),
  title: z.string(),
  url: z.string().nullable(),
  /** Branch that it asks to be merged into. */
  base: z.string(),
  /** From another repository: whoever wrote it may not be one of us. */
  isFork: z.boolean(),
}).meta({ id: "PullRequest" });
export type PullRequest = z.infer<typeof PullRequest>;

/** What one hook says of one ref. */
export interface HookEvent {
  /** `push`, `ping`, `merge_request`, ... */
  event: string;
  ref: string | null;
  commit: string | null;
  /** A repeat of this key is the same delivery. */
  deliveryKey: string;
  /** A sentence; there is nothing to fetch then. */
  ignoredBecause?: string;
  /** Its plan is told there; nothing of it is recorded or run. */
  pull?: PullRequest;
}

export interface WebhookProvider {
  /** True when the secret's owner sent exactly these bytes. Never throws; an empty secret never verifies. */
  verify(request: SignedRequest): boolean;
  /** Reads a verified payload. Never throws, whatever its shape; one hook may speak of several refs. */
  read(payload: unknown, header: HeaderReader, body: Uint8Array): HookEvent[];
  /** Addresses that the payload gives its repository; only ever compared with registered ones, never used. */
  addresses(payload: unknown): string[];
}

/** A value deep inside of something that may have any shape. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  let here = value;
  for (const key of path) {
    if (here === null || typeof here !== "object" || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string | number, unknown>)[key];
  }
  return here;
}
export function textAt(value: unknown, ...path: (string | number)[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === "string" ? found : undefined;
}

/** The sender's id of a delivery, or the body's hash when it sends none; always short and printable. */
export function deliveryKey(id: string | undefined, body: Uint8Array): string {
  if (id !== undefined && /^[\x21-\x7e]{1,200}$/.test(id)) return id;
  return `sha256:${createHash("sha256").update(id ?? "").update(body).digest("hex")}`;
}

/** A push of one ref, or the sentence why there is nothing to do. */
export function pushEvent(event: string, ref: string | undefined, commit: string | undefined, key: string): HookEvent {
  const nothing = (ignoredBecause: string): HookEvent => ({
    event,
    ref: null,
    commit: null,
    deliveryKey: key,
    ignoredBecause,
  });
  if (ref === undefined || !parseRef(ref)) {
    return nothing("The push names neither a branch nor a tag that can be followed.");
  }
  if (commit !== undefined && isZeroCommit(commit)) return { ...nothing("The ref was deleted; what runs stays."), ref };
  if (commit === undefined || !isCommit(commit)) return nothing("The push names no commit.");
  return { event, ref, commit, deliveryKey: key };
}

/** Anything that is no push. */
export function otherEvent(event: string | undefined, key: string): HookEvent {
  const name = event === undefined || !/^[\w:./ -]{1,100}$/.test(event) ? "unknown" : event;
  const sentence = name === "ping" || name === "diagnostics:ping"
    ? "A ping: the hook works."
    : `Events of the kind "${name}" change nothing here; only pushes do.`;
  return { event: name, ref: null, commit: null, deliveryKey: key, ignoredBecause: sentence };
}

/** Where a pull request's commits are found, by its number. */
export type PullRef = (number: number) => string;
export interface SaidPull {
  number: unknown;
  title: string | undefined;
  url: string | undefined;
  base: string | undefined;
  commit: string | undefined;
  isFork: boolean;
  ref: PullRef;
}

/** A pull request that was opened or changed; what does not hold together is passed over with a sentence. */
export function pullEvent(event: string, said: SaidPull, key: string): HookEvent {
  const { number, base, isFork } = said;
  const isWhole = typeof number === "number" && Number.isSafeInteger(number) && number > 0;
  if (!isWhole || base === undefined || !isRefName(base)) {
    const ignoredBecause = "The pull request names no number, or no branch that it goes into.";
    return { event, ref: null, commit: null, deliveryKey: key, ignoredBecause };
  }
  const commit = said.commit !== undefined && isCommit(said.commit) ? said.commit : null;
  const url = said.url !== undefined && /^https?:\/\//.test(said.url) ? storableText(said.url.slice(0, 2000)) : null;
  const pull = { number, title: storableText((said.title ?? "").slice(0, 300)), url, base, isFork };
  return { event, ref: said.ref(number), commit, deliveryKey: key, pull };
}
