/** The socket that agents dial, in the hands of a test: it says what it likes, and hears every word and the close. */
import WebSocket from "ws";
import { enroll, loadIdentity } from "../../agents/identity.ts";
import type { Identity } from "../../agents/identity.ts";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { PROTOCOL, SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import type { ToAgent } from "../../protocol/agent_messages.ts";
import { eventually } from "./start_product.ts";
import type { Master } from "./start_product.ts";
import { TEST_FACTS } from "./test_agent.ts";

export type Heard<T extends ToAgent["type"]> = Extract<ToAgent, { type: T }>;

export interface AgentSocket {
  socket: WebSocket;
  challenge: Heard<"agent.challenge">;
  /** What came after the challenge. */
  next: Promise<ToAgent>;
  closed: Promise<{ code: number; afterMs: number }>;
  /** The first message of this type, come or yet to come. */
  hear<T extends ToAgent["type"]>(type: T): Promise<Heard<T>>;
  say(...messages: object[]): void;
}

export function dialMaster(port: number): Promise<AgentSocket> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/connect`, SUBPROTOCOL);
    const heard: ToAgent[] = [];
    const closed: AgentSocket["closed"] = new Promise((done) =>
      socket.once("close", (code) => done({ code, afterMs: performance.now() - began }))
    );
    socket.on("message", (data) => heard.push(...[JSON.parse(String(data))].flat()));
    socket.once("error", reject);
    socket.once("message", (data) => {
      const next: AgentSocket["next"] = new Promise((tell) =>
        socket.once("message", (more) => tell(JSON.parse(String(more))))
      );
      resolve({
        socket,
        challenge: JSON.parse(String(data)),
        next,
        closed,
        hear: (type) =>
          eventually(
            () => Promise.resolve(heard.find((m): m is Heard<typeof type> => m.type === type)),
            `the message ${type}`,
            30,
          ),
        say: (...messages) => socket.send(JSON.stringify(messages.length === 1 ? messages[0] : messages)),
      });
    });
  });
}

/** An identity of its own, made as any machine makes it. */
export async function enrollAt(
  master: Master,
  name: string,
  token: Record<string, unknown> = {},
  disk = createMemoryDisk(),
): Promise<Identity> {
  const { token: text } = await master.api("POST", "/enrollment-tokens", token);
  await enroll({
    disk,
    token: text,
    name,
    facts: TEST_FACTS,
    post: async (path, body) => {
      const answer = await master.raw("POST", `/api/v1${path}`, body);
      return { status: answer.status, body: JSON.parse(answer.text) };
    },
  });
  return (await loadIdentity(disk))!;
}

export const helloOf = (agentId: string, signature: string, more: Record<string, unknown> = {}) => ({
  type: "agent.hello",
  protocol: PROTOCOL,
  agentId,
  kind: "agent",
  slots: 1,
  facts: TEST_FACTS,
  resumes: [],
  signature,
  ...more,
});

/** A hello as the agent itself would say it, with the tickets that it has. */
export async function signedHelloOf(
  identity: Identity,
  { nonce, masterId }: { nonce: string; masterId: string },
  more: Record<string, unknown> = {},
) {
  const signature = await identity.sign(nonce, masterId);
  return helloOf(identity.agentId, signature, { tickets: identity.renewal!.tickets(), ...more });
}

/** Dials, and is welcomed; its ticket is kept unless told otherwise. */
export async function comeIn(
  master: Master,
  identity: Identity,
  { keeps = true, ...more }: { keeps?: boolean } & Record<string, unknown> = {},
): Promise<AgentSocket & { welcome: Heard<"agent.welcome"> }> {
  const dialled = await dialMaster(Number(new URL(master.url).port));
  dialled.say(await signedHelloOf(identity, dialled.challenge, more));
  const welcome = await dialled.hear("agent.welcome");
  if (keeps && welcome.ticket) {
    await identity.renewal!.keepTicket(welcome.ticket);
    dialled.say({ type: "ticket.kept" });
  }
  return { ...dialled, welcome };
}

/** Dials, says its hello, and is turned away. @returns the close code */
export async function turnedAway(
  master: Master,
  identity: Identity,
  more: Record<string, unknown> = {},
): Promise<number> {
  const dialled = await dialMaster(Number(new URL(master.url).port));
  dialled.say(await signedHelloOf(identity, dialled.challenge, more));
  return (await dialled.closed).code;
}
