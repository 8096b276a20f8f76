/** Requests to the master. Cookies carry the session; one that has run out is renewed once and the request repeated. */
import type { Problem } from "../../protocol/http_api.ts";

/** What went wrong, in the master's words: `message` is one sentence that says what to do. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: NonNullable<Problem["errors"]> = [],
  ) {
    super(detail);
  }
}

export interface Api {
  get<T>(path: string): Promise<T>;
  send<T = void>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T>;
  /** Raw bytes of a log, and the offset behind them. */
  bytes(path: string): Promise<{ bytes: Uint8Array; nextOffset: number }>;
  /** An answer that goes on until the signal ends it. */
  stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}
export interface ApiDeps {
  fetch: typeof fetch;
  refresh: () => Promise<"ok" | "denied" | "unreachable">;
  onSignedOut: () => void;
}

export function createApi(deps: ApiDeps): Api {
  async function call(path: string, init: RequestInit = {}): Promise<Response> {
    const address = `/api/v1${path}`;
    let answer = await reach(address, init);
    if (answer.status === 401 && !path.startsWith("/auth/login")) {
      const refreshed = await deps.refresh();
      if (refreshed === "ok") answer = await reach(address, init);
      if (answer.status === 401 && refreshed !== "unreachable") deps.onSignedOut();
    }
    if (!answer.ok) throw await problemOf(answer);
    return answer;
  }
  async function reach(address: string, init: RequestInit): Promise<Response> {
    try {
      return await deps.fetch(address, init);
    } catch (error: unknown) {
      throw new ApiProblem(0, "network", error instanceof Error ? error.message : String(error));
    }
  }
  return {
    get: async (path) => (await call(path)).json(),
    async send(method, path, body) {
      const answer = await call(path, {
        method,
        headers: { "content-type": "application/json", "idempotency-key": newKey() },
        body: JSON.stringify(body ?? {}),
      });
      const text = await answer.text();
      return text ? JSON.parse(text) : undefined;
    },
    async bytes(path) {
      const answer = await call(path);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      return { bytes, nextOffset: Number(answer.headers.get("x-next-offset") ?? NaN) };
    },
    stream: async (path, signal) => (await call(path, { signal })).body!,
  };
}

async function problemOf(answer: Response): Promise<ApiProblem> {
  const text = await answer.text();
  try {
    const problem = JSON.parse(text) as Problem;
    return new ApiProblem(answer.status, problem.code, problem.detail, problem.errors);
  } catch {
    return new ApiProblem(answer.status, "unreadable", text.slice(0, 300) || answer.statusText);
  }
}

const newKey = () =>
  crypto.getRandomValues(new Uint32Array(4)).reduce((key, n) => key + n.toString(16).padStart(8, "0"), "");
export const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error);

/** `/tasks?a=1` without the parts that are undefined. */
export const withQuery = (path: string, query: Record<string, string | number | undefined>): string => {
  const parts = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return parts.length ? `${path}?${new URLSearchParams(parts.map(([k, v]) => [k, String(v)]))}` : path;
};
