/** A provider's API, called with a repository's token, at the one address that the token was given for. */
import { parseRepositoryAddress } from "../../../domain/repository_address.ts";
import { storableText } from "../../../domain/storable_text.ts";
import type { Provider } from "../../../protocol/http_api.ts";
import { textAt } from "../../../protocol/webhooks/webhook.ts";
import { callOut, OutgoingError, readText } from "../outgoing_http.ts";
import type { OutgoingDeps } from "../outgoing_http.ts";
import { bitbucket } from "./bitbucket.ts";
import { bareToken } from "./forge.ts";
import type { Forge, ForgeCall } from "./forge.ts";
import { gitea } from "./gitea.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";

const FORGES: Record<Exclude<Provider, "generic">, Forge> = { github, gitea, forgejo: gitea, gitlab, bitbucket };
const ANSWER_BYTES = 8 * 1024 * 1024;
const SAID_LENGTH = 200;
/** Longer than this nobody is kept waiting by what a provider says of itself. */
const MOST_WAIT_SECONDS = 2 * 3600;

export interface ForgePlace {
  provider: Provider;
  url: string;
  apiUrl: string | null;
}
/** What will not get better by trying again: what to mend, in a sentence. */
export class RefusedCall extends Error {
  override readonly name = "RefusedCall";
  constructor(message: string, readonly httpStatus?: number) {
    super(message);
  }
}
export interface OpenForge {
  forge: Forge;
  /** As it stands in paths. */
  repository: string;
  /** Where it is called, for people to read. */
  host: string;
  read(path: string): Promise<unknown>;
  send(call: ForgeCall): Promise<unknown>;
}

/** @param purpose what the token must be allowed, when it turns out that it is not */
export function openForge(
  deps: OutgoingDeps,
  place: ForgePlace,
  token: string,
  purpose: keyof Forge["needs"],
): OpenForge {
  if (place.provider === "generic") throw new RefusedCall("a generic repository has no API");
  const forge = FORGES[place.provider];
  const parsed = parseRepositoryAddress(place.url, { allowFile: true });
  if ("problem" in parsed) throw new RefusedCall(`the repository's address ${parsed.problem}`);
  const { host, path } = parsed.address;
  if (host === "" && place.apiUrl === null) throw new RefusedCall("a folder has no API; set the repository's apiUrl");
  const base = (place.apiUrl ?? forge.base(host.replace(/:\d+$/, ""))).replace(/\/+$/, "");
  const apiHost = new URL(base).host;
  const authorization = forge.authorize(token);
  // Also as the header has it, of a pair in base64, whatever stands before it there.
  const secrets = [authorization.slice(authorization.indexOf(" ") + 1), token, bareToken(token)].filter(Boolean);
  const call = async (method: "GET" | ForgeCall["method"], path: string, body?: unknown) => {
    const headers = {
      authorization,
      accept: "application/json",
      "user-agent": "boreas",
      ...(body !== undefined && { "content-type": "application/json" }),
    };
    const request = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }), maxRedirects: 0 };
    // A token goes to the address that it was given for, and nowhere that this address points to.
    return await callOut(deps, base + path, request, async (response) => {
      const text = await readText(response, ANSWER_BYTES);
      if (response.status >= 200 && response.status < 300) return parse(text);
      if (forge.isThere?.(response.status, text)) return undefined;
      const said = sayAnswer(text, secrets);
      const what = `the provider's API answers ${response.status} at ${apiHost}${said}`;
      throw judge(deps, response, what, forge.needs[purpose]);
    });
  };
  return {
    forge,
    repository: forge.repository(path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "")),
    host: apiHost,
    read: (path) => call("GET", path),
    send: ({ method, path, body }) => call(method, path, body),
  };
}

/** What an answer that is no yes means: later, or not like this. */
function judge(deps: OutgoingDeps, response: Response, what: string, needs: string): Error {
  const { status } = response;
  const wait = waitSeconds(deps, response);
  // GitHub says "too often" as 403, with the same headers; 409 is GitLab's "another update is under way".
  if (status >= 500 || status === 429 || status === 409 || (status === 403 && wait !== undefined)) {
    return new OutgoingError(`${what}.`, wait);
  }
  const mend: Record<number, string> = {
    401: "the repository's statusToken is not taken; it may have expired",
    403: `check the repository's statusToken; it needs ${needs}`,
    404: `check the repository's address, and what its statusToken may see; it needs ${needs}`,
  };
  return new RefusedCall(mend[status] === undefined ? what : `${what}; ${mend[status]}`, status);
}

/** Seconds that the provider asks to be left alone; undefined where it does not. */
function waitSeconds({ clock }: OutgoingDeps, { headers }: Response): number | undefined {
  const now = clock.now().getTime() / 1000;
  const after = headers.get("retry-after");
  const reset = headers.get("x-ratelimit-remaining") === "0" ? headers.get("x-ratelimit-reset") : null;
  const seconds = after !== null
    ? (/^\d+$/.test(after) ? Number(after) : Date.parse(after) / 1000 - now)
    : reset !== null
    ? Number(reset) - now
    : NaN;
  return Number.isFinite(seconds) ? Math.min(MOST_WAIT_SECONDS, Math.max(0, seconds)) : undefined;
}

/** The provider's own words, short, and without the token should it send that back. */
function sayAnswer(text: string, secrets: readonly string[]): string {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError)) throw error;
    return ""; // a page of some proxy: nothing to read in a sentence
  }
  const message = textAt(answer, "message") ?? textAt(answer, "error", "message") ?? textAt(answer, "error");
  if (message === undefined || message.trim() === "") return "";
  const masked = secrets.reduce((words, secret) => words.replaceAll(secret, "***"), message);
  const safe = masked.replace(/\s+/g, " ").trim();
  return ` ("${storableText(safe.slice(0, SAID_LENGTH))}")`;
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RefusedCall("the provider's API does not answer JSON; check the repository's apiUrl");
  }
}
