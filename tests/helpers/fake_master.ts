/**
 * The master's end of the wire, scripted by a test. It keeps what a real one would: the bytes of each log, accepted only
 * in sequence, and the results. It answers by itself what every master answers; a test overrides what it wants to see.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { createMemoryLinkPair } from "../../agents/memory_link.ts";
import type { Dialer, Link } from "../../domain/ports.ts";
import { createSocketLink } from "../../host/dial.ts";
import {
  type Dispatch,
  type FromAgent,
  MAX_FRAME_BYTES,
  parseFromAgent,
  SUBPROTOCOL,
  type ToAgent,
} from "../../protocol/agent_messages.ts";

type Message<T extends FromAgent["type"]> = Extract<FromAgent, { type: T }>;
type Verdict = Extract<ToAgent, { type: "agent.welcome" }>["resumes"][number]["verdict"];

export interface FakeMasterOptions {
  leaseSeconds?: number;
  masterId?: string;
  /** What to say about a task that the agent brings back. */
  verdict?: (resume: Message<"agent.hello">["resumes"][number]) => Verdict;
  /** Return true to keep the master's own answer back. */
  intercept?: (message: FromAgent, link: Link) => boolean | void;
}

export function createFakeMaster(options: FakeMasterOptions = {}) {
  const messages: FromAgent[] = [];
  const logs = new Map<string, { bytes: number[]; sequence: number }>();
  const results: Message<"task.result">[] = [];
  /** Violations of the protocol, to be asserted empty. */
  const complaints: string[] = [];
  const watchers = new Set<() => void>();
  let link: Link | undefined;
  let connections = 0;

  const logOf = (taskId: string) => {
    if (!logs.has(taskId)) logs.set(taskId, { bytes: [], sequence: 0 });
    return logs.get(taskId)!;
  };
  const send = (...out: ToAgent[]) => link?.send(JSON.stringify(out.length === 1 ? out[0] : out));

  function store(chunk: Message<"log.chunk">) {
    const log = logOf(chunk.taskId);
    const bytes = chunk.encoding === "utf8"
      ? [...new TextEncoder().encode(chunk.data)]
      : [...atob(chunk.data)].map((c) => c.charCodeAt(0));
    const isNext = chunk.sequence === log.sequence && chunk.offset === log.bytes.length;
    if (isNext) {
      for (const byte of bytes) log.bytes.push(byte);
      log.sequence++;
    } else if (chunk.sequence < log.sequence) {
      const before = log.bytes.slice(chunk.offset, chunk.offset + bytes.length);
      if (before.join() !== bytes.join()) complaints.push(`chunk ${chunk.sequence} was sent again with other bytes`);
    }
    send({ type: "log.ack", taskId: chunk.taskId, fence: chunk.fence, offset: log.bytes.length });
  }

  function answer(message: FromAgent, from: Link) {
    messages.push(message);
    if (options.intercept?.(message, from)) return;
    if (message.type === "agent.hello") {
      const resumes = message.resumes.map((resume) => ({
        taskId: resume.taskId,
        fence: resume.fence,
        verdict: options.verdict?.(resume) ??
          (resume.state === "finished" ? "send_result" as const : "continue" as const),
        logOffset: logOf(resume.taskId).bytes.length,
      }));
      const leaseSeconds = options.leaseSeconds ?? 30;
      send({ type: "agent.welcome", sessionId: String(connections), protocol: 1, leaseSeconds, resumes });
    } else if (message.type === "lease.renew") {
      const taskIds = message.leases.map((lease) => lease.taskId);
      send({ type: "lease.renewed", taskIds, lost: [], round: message.round });
    } else if (message.type === "log.chunk") store(message);
    else if (message.type === "task.result") {
      results.push(message);
      send({ type: "result.ack", taskId: message.taskId, fence: message.fence, accepted: true });
    }
  }

  function accept(accepted: Link) {
    link = accepted;
    connections++;
    accepted.onText((text) => {
      try {
        for (const message of parseFromAgent(text)) answer(message, accepted);
      } catch (error: unknown) {
        complaints.push(String(error));
      }
      for (const look of [...watchers]) look();
    });
    accepted.onClose(() => {
      if (link === accepted) link = undefined;
      for (const look of [...watchers]) look();
    });
    send({ type: "agent.challenge", nonce: `nonce-${connections}`, masterId: options.masterId ?? "master-1" });
    for (const look of [...watchers]) look();
  }

  return {
    messages,
    results,
    complaints,
    accept,
    send,
    get link() {
      return link;
    },
    get connections() {
      return connections;
    },
    ofType: <T extends FromAgent["type"]>(type: T) => messages.filter((m): m is Message<T> => m.type === type),
    logText: (taskId: string) => new TextDecoder().decode(new Uint8Array(logOf(taskId).bytes)),
    logBytes: (taskId: string) => new Uint8Array(logOf(taskId).bytes),
    /** Resolves as soon as it holds, looked at after every message and connection. */
    until: (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!holds()) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
  };
}
export type FakeMaster = ReturnType<typeof createFakeMaster>;

/** Dials the fake within the process. */
export const memoryDialer = (master: FakeMaster): Dialer => ({
  dial() {
    const [agentEnd, masterEnd] = createMemoryLinkPair();
    master.accept(masterEnd);
    return Promise.resolve(agentEnd);
  },
});

/** Puts the fake behind a real socket. */
export async function serveFakeMaster(master: FakeMaster): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, maxPayload: MAX_FRAME_BYTES, handleProtocols: () => SUBPROTOCOL });
  sockets.on("connection", (socket) => master.accept(createSocketLink(socket)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets.clients) socket.terminate();
        sockets.close();
        server.close(() => resolve());
      }),
  };
}

export function dispatchOf(taskId: string, overrides: Partial<Dispatch> = {}): Dispatch {
  return {
    type: "task.dispatch",
    taskId,
    fence: 1,
    attempt: 1,
    operation: {
      kind: "test",
      action: "deploy",
      isRollback: false,
      deploymentId: "deployment",
      applicationId: `application of ${taskId}`,
      app: "order",
      versionId: "version",
      version: "v1",
      commit: null,
      environmentId: "environment",
      environment: "staging",
      target: null,
      timeoutSeconds: null,
      generation: 1,
      spec: null,
    },
    sealedSecrets: null,
    blobTicket: null,
    leaseSeconds: 30,
    ...overrides,
  };
}
