/** Requests to the master over `openMasterSocket`, so that proxy, pinned CA and plain address hold for all of them alike. */
import http from "node:http";
import { type MasterAddress, openMasterSocket } from "./master_socket.ts";

export interface MasterRequest {
  path: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** false: the certificate proves nothing, only to fetch what is checked by itself. */
  verify?: boolean;
}

export async function openRequest(address: MasterAddress, request: MasterRequest): Promise<http.IncomingMessage> {
  const socket = await openMasterSocket(address, request.verify ?? true);
  return await new Promise((resolve, reject) => {
    const outgoing = http.request({
      createConnection: () => socket,
      host: address.url.hostname,
      port: address.url.port,
      path: address.url.pathname.replace(/\/$/, "") + request.path,
      method: request.method ?? "GET",
      headers: { host: address.url.host, connection: "close", ...request.headers },
    });
    outgoing.once("error", reject);
    outgoing.once("response", resolve);
    outgoing.end(request.body);
  });
}

/** A small answer as a whole; 1 MiB at most. */
export async function requestOnce(
  address: MasterAddress,
  request: MasterRequest,
): Promise<{ status: number; text: string; headers: http.IncomingHttpHeaders }> {
  const answer = await openRequest(address, request);
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of answer) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    if (text.length > 1024 * 1024) {
      answer.destroy();
      throw new Error(`${address.url.origin}${request.path} answered with more than 1 MiB`);
    }
  }
  return { status: answer.statusCode ?? 0, text, headers: answer.headers };
}

/** A JSON call below `/api/v1`, for enrolment. */
export async function postJson(address: MasterAddress, path: string, body: unknown) {
  const { status, text } = await requestOnce(address, {
    path: `/api/v1${path}`,
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-length": String(new TextEncoder().encode(JSON.stringify(body)).length),
    },
    body: JSON.stringify(body),
  });
  try {
    return { status, body: text ? JSON.parse(text) as unknown : null };
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Error(`${address.url.origin} does not answer like a Boreas master (HTTP ${status}).`);
  }
}
