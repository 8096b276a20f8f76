/** One call to the API: signed in, its answer parsed, its refusal turned into one sentence. */
import { Problem, Session } from "../protocol/http_api.ts";
import { CliError, type CliHost } from "./host.ts";
import type { SignIn } from "./sign_in.ts";

/** What parses an answer: every schema of `protocol/` does. */
export interface Schema<T> {
  parse(value: unknown): T;
}
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The server's refusal, in its own words. */
export class ApiError extends CliError {
  constructor(readonly status: number, readonly code: string, sentence: string) {
    super(sentence);
  }
}

export interface Transport {
  readonly url: string;
  send(method: string, path: string, options?: SendOptions): Promise<Response>;
  call<T>(schema: Schema<T>, method: string, path: string, options?: SendOptions): Promise<T>;
}
export interface SendOptions {
  query?: Query;
  body?: unknown;
  /** Instead of `body`: bytes as they are; `headers` says what they are. */
  bytes?: Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export function createTransport(
  host: Pick<CliHost, "fetch">,
  signIn: SignIn | { url: string },
  onRenewed?: (signIn: SignIn) => Promise<void>,
): Transport {
  const { url } = signIn;
  let current = "token" in signIn ? signIn : undefined;
  let renewal: Promise<boolean> | undefined;

  const ask = async (
    method: string,
    path: string,
    { query, body, bytes, headers, signal }: SendOptions,
  ): Promise<Response> => {
    const search = new URLSearchParams(
      Object.entries(query ?? {}).filter(([, v]) => v !== undefined).map(([k, v]) => [k, String(v)]),
    ).toString();
    const address = `${url}/api/v1${path}${search ? `?${search}` : ""}`;
    try {
      return await host.fetch(address, {
        method,
        signal,
        headers: {
          accept: "application/json",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          // A write that is sent twice by something between us and the server is done once.
          ...(method === "GET" ? {} : { "idempotency-key": crypto.randomUUID() }),
          ...(current ? { authorization: `Bearer ${current.token}` } : {}),
          ...headers,
        },
        body: bytes ?? (body === undefined ? undefined : JSON.stringify(body)),
      });
    } catch (error: unknown) {
      if (signal?.aborted) throw error;
      throw new CliError(`Could not reach ${url}: ${sayNetworkError(error)}. Is Boreas running there?`);
    }
  };

  /** Several calls may meet the ended session at once; it is renewed once for all of them. */
  const renew = (): Promise<boolean> =>
    renewal ??= (async () => {
      const refreshToken = current?.refreshToken;
      if (!refreshToken) return false;
      const response = await ask("POST", "/auth/refresh", { body: { refreshToken }, headers: { authorization: "" } });
      if (!response.ok) {
        await response.body?.cancel();
        return false;
      }
      const session = Session.parse(await response.json());
      current = { url, token: session.accessToken, refreshToken: session.refreshToken };
      await onRenewed?.(current);
      return true;
    })().finally(() => renewal = undefined);

  const send = async (method: string, path: string, options: SendOptions = {}): Promise<Response> => {
    let response = await ask(method, path, options);
    if (response.status === 401 && current?.refreshToken) {
      await response.body?.cancel();
      if (await renew()) response = await ask(method, path, options);
      else throw new ApiError(401, "auth.ended", `The sign-in to ${url} has ended. Run \`boreas login ${url}\`.`);
    }
    if (!response.ok) throw await readRefusal(response, url);
    return response;
  };

  return {
    url,
    send,
    async call(schema, method, path, options) {
      const response = await send(method, path, options);
      const text = await response.text();
      let value: unknown;
      try {
        value = text === "" ? null : JSON.parse(text);
      } catch (error: unknown) {
        if (!(error instanceof SyntaxError)) throw error;
        throw new CliError(`${url} answered ${method} ${path} with something that is not JSON. Is it a Boreas server?`);
      }
      try {
        return schema.parse(value);
      } catch (error: unknown) {
        const why = error instanceof Error ? error.message : String(error);
        throw new CliError(`${url} answered ${method} ${path} in a shape this client does not know: ${why}`);
      }
    },
  };
}

async function readRefusal(response: Response, url: string): Promise<ApiError> {
  const text = await response.text();
  const problem = Problem.safeParse(parseJson(text));
  if (!problem.success) {
    return new ApiError(response.status, "http", `${url} answered ${response.status} ${response.statusText}.`.trim());
  }
  const { code, detail, errors = [] } = problem.data;
  const lines = errors.map((e) => `  ${e.path ? `${e.path}: ` : ""}${e.message}`);
  return new ApiError(response.status, code, [detail, ...lines].join("\n"));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error: unknown) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function sayNetworkError(error: unknown): string {
  const whole = error instanceof Error
    ? `${error.message} ${error.cause instanceof Error ? error.cause.message : ""}`
    : "";
  if (/ECONNREFUSED|connection refused/i.test(whole)) return "the connection was refused";
  if (/ENOTFOUND|EAI_AGAIN|dns error|failed to lookup/i.test(whole)) return "the name could not be resolved";
  if (/certificate|UnknownIssuer|self.signed/i.test(whole)) return "its certificate is not trusted by this machine";
  return error instanceof Error ? error.message : String(error);
}
