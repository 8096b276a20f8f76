/**
 * Stands between an agent and its master and sees every message: a recording, from which any of them can be said again,
 * and a hand that keeps some back. Plain requests (enrolment, files) pass as they are. For a master without TLS.
 */
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../../../protocol/agent_messages.ts";
import type { FromAgent, ToAgent } from "../../../protocol/agent_messages.ts";
import { eventually } from "../../helpers/start_product.ts";

/** What an agent said, as the text that it sent. */
export interface Recorded {
  text: string;
  message: FromAgent;
}
type Said<T extends FromAgent["type"]> = Extract<FromAgent, { type: T }>;
type Heard<T extends ToAgent["type"]> = Extract<ToAgent, { type: T }>;

export interface FrameProxy {
  url: string;
  /** Everything the agent said and heard, in order, over all connections. */
  said: Recorded[];
  heard: ToAgent[];
  /** What it says and this holds for is recorded and goes no further. */
  keepBack(those: (message: FromAgent) => boolean): void;
  /** Says something on the agent's present connection; resolves with the master's answer that fits. */
  say<T extends ToAgent["type"]>(text: string, answer: T, fits: (message: Heard<T>) => boolean): Promise<Heard<T>>;
  /** Ends the present connections. */
  cut(): void;
  close(): Promise<void>;
}

export async function startFrameProxy(to: string): Promise<FrameProxy> {
  const target = new URL(to);
  const said: Recorded[] = [];
  const heard: ToAgent[] = [];
  const pairs = new Set<{ agent: WebSocket; master: WebSocket }>();
  let isKept: (message: FromAgent) => boolean = () => false;

  const server = createServer((incoming, answer) => {
    const { method, headers, url: path } = incoming;
    const onward = request({ host: target.hostname, port: target.port, method, headers, path }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    incoming.pipe(onward);
  });
  const sockets = new WebSocketServer({ server, maxPayload: MAX_FRAME_BYTES, handleProtocols: () => SUBPROTOCOL });
  sockets.on("connection", (agent, { url: path }) => {
    const master = new WebSocket(new URL(path!, to.replace(/^http/, "ws")), SUBPROTOCOL);
    const pair = { agent, master };
    pairs.add(pair);
    const early: string[] = [];
    const onward = (text: string) => master.readyState === master.OPEN ? master.send(text) : early.push(text);
    agent.on("message", (data) => {
      const frame = JSON.parse(data.toString()) as FromAgent | FromAgent[];
      const messages = Array.isArray(frame) ? frame : [frame];
      said.push(...messages.map((message) => ({ message, text: JSON.stringify(message) })));
      const passed = messages.filter((message) => !isKept(message));
      if (passed.length > 0) onward(JSON.stringify(passed));
    });
    master.on("open", () => early.splice(0).forEach((text) => master.send(text)));
    master.on("message", (data) => {
      const text = data.toString();
      const frame = JSON.parse(text) as ToAgent | ToAgent[];
      heard.push(...(Array.isArray(frame) ? frame : [frame]));
      if (agent.readyState === agent.OPEN) agent.send(text);
    });
    // Each side's pings are answered here, so a silent agent keeps its connection like one behind a patient balancer.
    for (const [one, other] of [[agent, master], [master, agent]] as const) {
      one.on("error", () => {}); // `close` follows
      one.on("close", () => {
        pairs.delete(pair);
        other.terminate();
      });
    }
    master.on("ping", () => agent.readyState === agent.OPEN ? agent.ping() : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    said,
    heard,
    keepBack: (those) => void (isKept = those),
    async say(text, type, fits) {
      const from = heard.length;
      const pair = await eventually(
        () => Promise.resolve([...pairs].find(({ master }) => master.readyState === master.OPEN)),
        "a connection of the agent",
      );
      pair.master.send(text);
      return await eventually(
        () =>
          Promise.resolve(
            heard.slice(from).find((message): message is Heard<typeof type> =>
              message.type === type && fits(message as Heard<typeof type>)
            ),
          ),
        `${type} as the answer to ${text.slice(0, 200)}`,
      );
    },
    cut() {
      for (const { agent, master } of pairs) {
        agent.terminate();
        master.terminate();
      }
    },
    close: () =>
      new Promise((resolve) => {
        for (const { agent, master } of pairs) {
          agent.terminate();
          master.terminate();
        }
        sockets.close();
        server.close(() => resolve());
      }),
  };
}

/** The recorded words of one attempt. */
export function wordsOf<T extends FromAgent["type"]>(
  said: readonly Recorded[],
  type: T,
  taskId: string,
  fence: number,
): (Recorded & { message: Said<T> })[] {
  const isAbout = (message: FromAgent) =>
    message.type === "lease.renew"
      ? message.leases.some((lease) => lease.taskId === taskId && lease.fence === fence)
      : "taskId" in message && message.taskId === taskId && message.fence === fence;
  return said.filter((one): one is Recorded & { message: Said<T> } =>
    one.message.type === type && isAbout(one.message)
  );
}
