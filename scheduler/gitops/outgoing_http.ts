/** HTTP to addresses that files name: each hop checked and called where it was checked, redirects followed by hand, bounded in time. */
import { AppError } from "../../domain/app_error.ts";
import type { GitopsDeps } from "./deps.ts";

export type OutgoingDeps = Pick<GitopsDeps, "fetch" | "checkOutgoing" | "clock">;
const TIMEOUT_MS = 15_000;
const MAX_REDIRECTS = 5;

/** The other side was not there, or said no: a sentence for the one who waits. */
export class OutgoingError extends Error {
  override readonly name = "OutgoingError";
  /** @param retryAfterSeconds how long the other side wants to be left alone, when it says so */
  constructor(message: string, readonly retryAfterSeconds?: number) {
    super(message);
  }
}

export interface OutgoingRequest {
  /** What is posted is posted to this address: a redirect of it is an error that says where to. */
  method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  headers?: Record<string, string>;
  body?: string;
  timeoutMs?: number;
  /** 0: the first answer is the one, also when it leads elsewhere. */
  maxRedirects?: number;
}

/**
 * The timeout covers what `use` does with the body. `Authorization` is not taken along to another origin.
 * @throws OutgoingError
 */
export async function callOut<T>(
  deps: OutgoingDeps,
  address: string,
  request: OutgoingRequest,
  use: (response: Response) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const timer = deps.clock.after(request.timeoutMs ?? TIMEOUT_MS, () => abort.abort());
  try {
    // As fetch will read it, so that what is checked is what is called.
    let url = URL.canParse(address) ? new URL(address).href : "";
    const maxRedirects = request.maxRedirects ?? MAX_REDIRECTS;
    for (let hop = 0; hop <= maxRedirects; hop++) {
      if (!/^https?:/.test(url)) throw new OutgoingError("it leads to something that is not http");
      const addresses = await deps.checkOutgoing(url);
      const headers = hop === 0 || new URL(url).origin === new URL(address).origin
        ? request.headers ?? {}
        : without(request.headers ?? {}, "authorization");
      const response = await deps.fetch(url, {
        method: request.method ?? "GET",
        headers,
        body: request.body,
        redirect: "manual",
        signal: abort.signal,
        addresses,
      });
      const location = response.headers.get("location");
      const leadsOn = [301, 302, 303, 307, 308].includes(response.status) && location !== null && maxRedirects > 0;
      if (!leadsOn) return await use(response);
      await response.body?.cancel();
      if (request.method === "POST") {
        throw new OutgoingError(`it redirects to ${new URL(location, url).origin}; give the address where that ends`);
      }
      url = new URL(location, url).href;
    }
    throw new OutgoingError("it redirects too often");
  } catch (error: unknown) {
    if (error instanceof OutgoingError) throw error;
    if (error instanceof AppError) throw new OutgoingError(error.message.replace(/\.$/, ""));
    if (abort.signal.aborted) throw new OutgoingError("it did not answer in time");
    // fetch says every trouble of the network as a TypeError; what is ours must not be taken for one.
    if (error instanceof TypeError) throw new OutgoingError("it cannot be reached");
    throw error;
  } finally {
    timer.cancel();
  }
}

const without = (headers: Record<string, string>, name: string) =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key.toLowerCase() !== name));

/** Reads text up to a limit. @throws OutgoingError beyond it */
export async function readText(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > maxBytes) throw new OutgoingError(`it answers with more than ${maxBytes} bytes`);
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}
