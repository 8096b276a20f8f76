/**
 * One request to a backend and its answer back, both as they come.
 *
 * A connection that was kept may be closed by the backend in the very moment a request goes out on it. So only what may
 * be sent twice (no body, a method that changes nothing) takes a kept one, and is sent again on a fresh one when that
 * broke before the first byte of an answer. Everything else gets a fresh connection, and its body waits until that
 * stands: when nobody takes it, nothing was sent, and the backend that serves by then is asked.
 */
import { request as openRequest } from "node:http";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { passedOn, withForwarded } from "./headers.ts";
import type { Backend } from "./routes.ts";
import type { Traffic } from "./traffic.ts";

const REPEATABLE = ["GET", "HEAD", "OPTIONS"];

export interface Lane {
  traffic: Traffic;
  /** The backend that serves this request now; undefined when no route takes it. */
  choose(): Backend | undefined;
  /** Whether the client's connection ends with this answer. */
  isLast(): boolean;
}

export function forward(request: IncomingMessage, response: ServerResponse, lane: Lane): void {
  const hasBody = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  const isRepeatable = !hasBody && REPEATABLE.includes(request.method!);
  let leave = () => {};
  let outgoing: ClientRequest | undefined;
  let isOver = false;
  // The one end that always comes: after the last byte, or when the client went away.
  response.on("close", () => {
    isOver = true;
    leave();
    outgoing?.destroy();
  });
  // Said by `close` too.
  response.on("error", () => {});
  request.on("error", () => {});

  const send = (isRetry: boolean) => {
    leave();
    const backend = lane.choose();
    if (!backend) return answerPlainly(response, 404, "No application here answers to this host.");
    leave = lane.traffic.enter(backend);
    const pool = isRepeatable && !isRetry ? lane.traffic.pool(backend) : undefined;
    const sent: ClientRequest = outgoing = openRequest({
      host: backend.host,
      port: backend.port,
      method: request.method,
      path: request.url,
      agent: pool ?? false,
      setHost: false,
      headers: {
        ...withForwarded(passedOn(request.rawHeaders), {
          address: request.socket.remoteAddress ?? "",
          host: request.headers.host,
        }),
        ...(hasBody && request.headers["content-length"] === undefined ? { "Transfer-Encoding": "chunked" } : {}),
        ...(pool ? {} : { Connection: "close" }),
      },
    });
    let isConnected = false;
    sent.on("socket", (socket) => {
      const connected = () => {
        isConnected = true;
        if (hasBody && !isOver) request.pipe(sent);
      };
      if (socket.connecting) socket.once("connect", connected);
      else connected();
    });
    if (!hasBody) sent.end();
    sent.on("response", (answer) => {
      try {
        pass(answer, response, lane.isLast());
      } catch (error: unknown) {
        // Its status or its reason is one that nobody may pass on: that is one bad answer, and no more.
        for (const name of response.getHeaderNames()) response.removeHeader(name);
        response.statusMessage = "";
        answerPlainly(response, 502, `The application's answer is not HTTP (${(error as Error).message}).`);
      }
    });
    sent.on("upgrade", (_answer, socket) => {
      outgoing = undefined; // what its end says is nobody's business
      socket.destroy();
      answerPlainly(response, 502, "The application changed to a protocol that nobody asked for.");
    });
    sent.on("error", (error) => {
      if (isOver || outgoing !== sent) return;
      // Half an answer must not look like a whole one.
      if (response.headersSent) return void response.destroy();
      if (!isRetry && (isRepeatable || !isConnected)) return send(true);
      answerPlainly(
        response,
        502,
        `The application does not answer (${(error as { code?: string }).code ?? "broken"}).`,
      );
    });
  };
  send(false);
}

function pass(answer: IncomingMessage, response: ServerResponse, isLast: boolean): void {
  for (const [name, value] of Object.entries(passedOn(answer.rawHeaders))) response.setHeader(name, value);
  if (isLast) response.setHeader("Connection", "close");
  response.writeHead(answer.statusCode!, answer.statusMessage);
  answer.on("error", () => response.destroy());
  answer.on("aborted", () => response.destroy());
  // A head without a body may be all there is for a while: events, a slow page.
  response.flushHeaders();
  answer.pipe(response);
}

function answerPlainly(response: ServerResponse, status: number, sentence: string): void {
  if (response.headersSent) return void response.destroy();
  // What is left of the body has no reader.
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Connection": "close" });
  response.end(sentence + "\n");
}
