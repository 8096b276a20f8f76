/**
 * The wire between the master and whoever dials it: one JSON message per text frame, or an array of them.
 * Both ends parse with these schemas; unknown fields are dropped, an unknown type closes the socket (`CLOSE.badMessage`).
 * The conversation: challenge -> hello (signed) -> welcome -> tasks, leases, logs, results.
 */
import { z } from "zod";
import { Operation, Outcome } from "./operation.ts";
import { MAX_OBSERVED, MAX_OUTPUT_TEXT, MAX_PRESENT, Observed, Present } from "./observed.ts";
import { UpgradeReport } from "./release.ts";

export const SUBPROTOCOL = "boreas.v1";
/** 2 brought the renewal of keys, tickets and the end of a drain; 3 the actions that are not `FIRST_ACTIONS`. */
export const PROTOCOL = { min: 1, max: 3 } as const;
/** Agents below it know `FIRST_ACTIONS` only, and would end the connection over any other. */
export const PROTOCOL_OF_PARTS = 3;
/** Bytes; a larger frame closes the socket with 1009. */
export const MAX_FRAME_BYTES = 1024 * 1024;
/** Log chunks that an agent may have unacknowledged, over all its tasks. */
export const LOG_WINDOW_CHUNKS = 32;
/** Bytes of one log chunk before encoding. */
export const LOG_CHUNK_BYTES = 32 * 1024;
/** Seconds an unauthenticated socket may live. */
export const HELLO_SECONDS = 5;
/** Seconds between pings of the master, at most. */
export const PING_SECONDS = 20;
/** With short leases more often: a dead connection should be noticed within a few of them. */
export const pingSeconds = (leaseSeconds: number): number => Math.min(PING_SECONDS, 2 * leaseSeconds);
/** Ping periods without a sign of the other end that end the connection, on either side. */
export const SILENT_PINGS = 2;

/** Why a socket was closed; documented in docs/protocol.md. */
export const CLOSE = {
  goingAway: 1001,
  tooBig: 1009,
  restart: 1012,
  tryLater: 1013,
  badMessage: 4400,
  unauthenticated: 4401,
  revoked: 4403,
  noCommonProtocol: 4406,
  helloTimeout: 4408,
  replaced: 4409,
  copied: 4410,
} as const;

const Lease = z.object({ taskId: z.string(), fence: z.number().int() });
export type Lease = z.infer<typeof Lease>;

export const AgentFacts = z.object({
  hostname: z.string(),
  os: z.string(),
  arch: z.string(),
  cpus: z.number(),
  memoryBytes: z.number(),
  bootId: z.string().default(""),
  /** What it can run: `binary`, `script`, `docker`, ... */
  modes: z.array(z.string()).default([]),
}).loose();
export type AgentFacts = z.infer<typeof AgentFacts>;

export const AgentHello = z.object({
  type: z.literal("agent.hello"),
  protocol: z.object({ min: z.number().int(), max: z.number().int() }),
  agentId: z.string(),
  kind: z.string(),
  versions: z.record(z.string(), z.string()).default({}),
  slots: z.number().int().min(0).max(10_000),
  facts: AgentFacts,
  /** Every task it still knows: running, or ended with a result that was not acknowledged. */
  resumes: z.array(Lease.extend({ state: z.enum(["running", "suspended", "finished"]), logOffset: z.number().int() }))
    .max(10_000),
  /** base64url Ed25519 over `signedHello(...)`. */
  signature: z.string(),
  /** How an upgrade ended that this agent was asked for, when its connection ended meanwhile. */
  upgrade: UpgradeReport.optional(),
  /** What the last welcomes brought, newest first: a copy of this agent's folder has older ones. */
  tickets: z.array(z.string().max(100)).max(2).optional(),
  /** Of this process: another one with the same identity has another. */
  instance: z.string().max(100).optional(),
});
/** The bytes an agent signs: bound to this connection's nonce, this agent and this master. */
export const signedHello = (nonce: string, agentId: string, masterId: string): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(["boreas.v1.hello", nonce, agentId, masterId]));

/** The bytes an agent signs with its old key and with its new one, so that neither can be changed alone. */
export const signedOffer = (
  requestId: string,
  agentId: string,
  masterId: string,
  keys: { publicKey: string; sealingKey: string },
): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify(["boreas.v1.key", requestId, agentId, masterId, keys.publicKey, keys.sealingKey]),
  );
/** base64url of 32 raw bytes. */
const PublicKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

export const LogChunk = Lease.extend({
  type: z.literal("log.chunk"),
  /** 0, 1, 2, ... within (task, attempt). */
  sequence: z.number().int().min(0),
  /** Byte offset of this chunk within the attempt's (masked) log. */
  offset: z.number().int().min(0),
  encoding: z.enum(["utf8", "base64"]),
  data: z.string(),
});
export type LogChunk = z.infer<typeof LogChunk>;

export const FromAgent = z.discriminatedUnion("type", [
  AgentHello,
  Lease.extend({ type: z.literal("task.accept") }),
  /** `retryable`: another attempt may fare better, here or elsewhere (no free slot, about to end). */
  Lease.extend({ type: z.literal("task.refuse"), reason: z.string().max(2000), retryable: z.boolean().optional() }),
  /** Also sent with no leases, as the heartbeat that keeps the connection known to be fresh. `round` comes back in the answer. */
  z.object({
    type: z.literal("lease.renew"),
    leases: z.array(Lease).max(10_000),
    round: z.number().int().optional(),
  }),
  LogChunk,
  Lease.extend({ type: z.literal("task.progress"), message: z.string().max(2000) }),
  Lease.extend({ type: z.literal("task.result"), outcome: Outcome }),
  /** `modes`: what it can run now, when that has changed since its hello. */
  z.object({
    type: z.literal("slots.update"),
    slots: z.number().int().min(0).max(10_000),
    modes: z.array(z.string().max(100)).max(20).optional(),
  }),
  z.object({
    type: z.literal("state.report"),
    observed: z.array(Observed).max(MAX_OBSERVED),
    /** Of the last message of a full report: all that the agent sees. What was deployed to it and is not there is missing. */
    present: z.array(Present).max(MAX_PRESENT).optional(),
    /** Of the `operator.observe` that this answers. */
    requestId: z.string().max(100).optional(),
  }),
  z.object({
    type: z.literal("app.lines"),
    requestId: z.string().max(100),
    /** What an agent answers that cannot follow: all it has, once. */
    lines: z.array(z.string()).max(10_000),
    /** What comes next of the output; characters and lines may be cut between two messages. */
    text: z.string().max(MAX_OUTPUT_TEXT).optional(),
    /** Bytes of output that were passed over right before: more was written than may travel. */
    skipped: z.number().int().min(0).optional(),
    /** Why no more will come. Absent, with `text`, while more may. */
    ended: z.string().max(1000).optional(),
  }),
  /** Only in answer to an `agent.upgrade` that has an id. */
  UpgradeReport.extend({ type: z.literal("upgrade.report") }),
  /** The public halves of a new pair of keys; each signature is over `signedOffer(...)`. */
  z.object({
    type: z.literal("key.offer"),
    requestId: z.string().max(100),
    publicKey: PublicKey,
    sealingKey: PublicKey,
    /** By the key that the agent has used until now. */
    signature: z.string().max(200),
    /** By the new one: nobody offers a key that he does not have. */
    newSignature: z.string().max(200),
  }),
  /** The new keys are on the agent's disk and in use: the old ones may be refused from now on. */
  z.object({ type: z.literal("key.confirm"), requestId: z.string().max(100) }),
  /** The ticket of this connection's welcome is on the agent's disk: the one before may be refused from now on. */
  z.object({ type: z.literal("ticket.kept") }),
]);
export type FromAgent = z.infer<typeof FromAgent>;

export const ToAgent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("agent.challenge"), nonce: z.string(), masterId: z.string() }),
  z.object({
    type: z.literal("agent.welcome"),
    sessionId: z.string(),
    /** The protocol version agreed on. */
    protocol: z.number().int(),
    leaseSeconds: z.number(),
    /** `continue`: go on (from the log offset that the master has); `abort`: stop, it is someone else's now; `send_result`: resend. */
    resumes: z.array(
      Lease.extend({ verdict: z.enum(["continue", "abort", "send_result"]), logOffset: z.number().int() }),
    ),
    /** To be kept and shown in the next hello; absent where the link itself is trusted. */
    ticket: z.string().optional(),
    /** base64url raw Ed25519: for an agent that enrolled before releases were signed. One that has a key keeps its own. */
    releaseKey: PublicKey.optional(),
  }),
  z.object({
    type: z.literal("task.dispatch"),
    taskId: z.string(),
    fence: z.number().int(),
    attempt: z.number().int(),
    operation: Operation,
    /** Compact JWE (ECDH-ES over X25519, A256GCM) of a JSON object name -> value; task and fence in its protected header. */
    sealedSecrets: z.string().nullable(),
    /** Bearer for `GET /api/v1/blobs/:sha256`, good for the blobs of this operation only. */
    blobTicket: z.string().nullable(),
    leaseSeconds: z.number(),
    /** Seconds between the master's asking for the lease and this message: the database may have been slow to answer. */
    leaseAge: z.number().min(0).optional(),
  }),
  Lease.extend({ type: z.literal("task.cancel"), graceSeconds: z.number(), reason: z.string() }),
  /** One answer to each `lease.renew`; `round` says which, so that trust is counted from the moment that one was sent. */
  z.object({
    type: z.literal("lease.renewed"),
    taskIds: z.array(z.string()),
    lost: z.array(z.string()),
    round: z.number().int().optional(),
  }),
  /** `offset`: bytes of the attempt's log that are durable. Also the answer to a gap: go back to here. */
  Lease.extend({ type: z.literal("log.ack"), offset: z.number().int() }),
  Lease.extend({ type: z.literal("result.ack"), accepted: z.boolean() }),
  z.object({ type: z.literal("agent.drain"), reason: z.string() }),
  /** Takes back `agent.drain`. */
  z.object({ type: z.literal("agent.undrain") }),
  /** Make a new pair of keys and offer its public halves. */
  z.object({ type: z.literal("key.rotate"), requestId: z.string() }),
  /** The offer is in the database: switch to the new keys, then confirm. */
  z.object({ type: z.literal("key.recorded"), requestId: z.string() }),
  z.object({ type: z.literal("key.refused"), requestId: z.string(), reason: z.string() }),
  /** Take this version of the agent from `GET /api/v1/install/manifest`; with `cancel`, leave it if that is still possible. */
  z.object({
    type: z.literal("agent.upgrade"),
    version: z.string(),
    id: z.string().optional(),
    downgrade: z.boolean().optional(),
    cancel: z.boolean().optional(),
  }),
  z.object({ type: z.literal("operator.observe"), requestId: z.string() }),
  z.object({
    type: z.literal("app.tail"),
    requestId: z.string(),
    application: z.string(),
    environmentId: z.string().optional(),
    lines: z.number().int(),
    /** Go on with what it prints, until `stop`. */
    follow: z.boolean().optional(),
    /** Nobody reads it any more. */
    stop: z.boolean().optional(),
  }),
]);
export type ToAgent = z.infer<typeof ToAgent>;
export type Dispatch = Extract<ToAgent, { type: "task.dispatch" }>;

const frameOf = <T extends z.ZodType>(message: T) => {
  const many = z.array(message).min(1).max(1000);
  return (text: string): z.infer<T>[] => {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? many.parse(value) : [message.parse(value)];
  };
};
/** Parses a frame of either direction; throws SyntaxError or ZodError. */
export const parseFromAgent = frameOf(FromAgent);
export const parseToAgent = frameOf(ToAgent);

/** `POST /enroll`: an agent trades its one-time token for an identity; its private keys never leave it. */
export const EnrollRequest = z.object({
  token: z.string().min(1).max(200),
  name: z.string().min(1).max(253),
  /** base64url raw Ed25519 public key, 32 bytes. */
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** base64url raw X25519 public key, 32 bytes. */
  sealingKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Nobody asks for an id; whoever does is refused, and that is written down. */
  agentId: z.string().max(100).optional(),
  /** A token is for the one or for the other; a machine's agent is the former. */
  kind: z.enum(["agent", "operator"]).optional(),
  facts: AgentFacts,
});
export type EnrollRequest = z.infer<typeof EnrollRequest>;
export const EnrollResponse = z.object({
  agentId: z.string(),
  masterId: z.string(),
  name: z.string(),
  /** base64url raw Ed25519: what releases of the agent are signed with. The agent pins it. */
  releaseKey: PublicKey.optional(),
});
export type EnrollResponse = z.infer<typeof EnrollResponse>;
