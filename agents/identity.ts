/**
 * Who this agent is: an Ed25519 key that signs each connection's nonce and an X25519 key that secrets are sealed to. Both
 * are made here, at enrolment and at every renewal; their private halves never leave the disk they were written to.
 *
 *   pair in use --offer--> a new pair in memory --recorded by the master--> written --> in use, confirmed
 *
 * A crash before the write leaves the old pair, which the master takes until the new one was used or confirmed; a crash
 * after it leaves the new one, which the master has taken since it recorded it.
 */
import type { Disk } from "../domain/ports.ts";
import {
  type AgentFacts,
  type EnrollRequest,
  EnrollResponse,
  type Lease,
  signedHello,
  signedOffer,
} from "../protocol/agent_messages.ts";
import { readJson, toJson } from "./journal.ts";
import { makeKeys, openSealed, signWith, toSigningKey } from "./key_pairs.ts";

export interface Identity {
  agentId: string;
  name: string;
  /** Pinned at enrolment; null where the link itself is trusted (in memory). */
  masterId: string | null;
  /** base64url; empty where the link itself is trusted. */
  sign(nonce: string, masterId: string): Promise<string>;
  /** @throws Error when it was sealed to another key or for another lease */
  openSecrets(sealed: string, lease: Lease): Promise<Record<string, string>>;
  /** What changes over its life; absent where the link itself is trusted. */
  renewal?: Renewal;
}

export interface Renewal {
  /** What the last welcomes brought, newest first. */
  tickets(): string[];
  /** Durable when this returns. */
  keepTicket(ticket: string): Promise<void>;
  /** Makes a new pair; it is used by nobody until `switchTo`. */
  offer(requestId: string): Promise<Offer>;
  /** Uses the pair offered under this request from now on, durably; false when there is none. */
  switchTo(requestId: string): Promise<boolean>;
  /** base64url raw Ed25519: what releases of the agent must be signed with; undefined when enrolment brought none. */
  releaseKey(): string | undefined;
  /** Once: a key that is there stays. */
  pinReleaseKey(key: string): Promise<void>;
}
export interface Offer {
  requestId: string;
  publicKey: string;
  sealingKey: string;
  signature: string;
  newSignature: string;
}

interface IdentityFile {
  agentId: string;
  name: string;
  masterId: string;
  signing: JsonWebKey;
  sealing: JsonWebKey;
  /** Keys that secrets of tasks which still run may have been sealed to, newest first. */
  sealedBefore?: JsonWebKey[];
  tickets?: string[];
  releaseKey?: string;
}

const FILE = "identity.json";
/** A task may run while keys are renewed, and its journal keeps its secrets as they were sealed. */
const SEALING_KEYS_KEPT = 2;
/** The newest, and the one before: a master whose database lost its last moments knows that one. */
const TICKETS_KEPT = 2;

export async function loadIdentity(disk: Disk): Promise<Identity | undefined> {
  const file = await readJson<IdentityFile | null>(disk, FILE, null);
  return file ? identityOf(disk, file) : undefined;
}

export interface EnrollOptions {
  disk: Disk;
  /** Already bound to the master's address and trust: takes a path below `/api/v1`. */
  post(path: string, body: unknown): Promise<{ status: number; body: unknown }>;
  token: string;
  name: string;
  facts: AgentFacts;
  /** What the token has to be for; `agent` unless told. */
  kind?: EnrollRequest["kind"];
}

/**
 * Trades a one-time token for an identity. An agent that dies between the master's yes and its own note of it has spent
 * a use of the token and shows as one that never connected; it enrols anew.
 * @throws Error with the master's sentence when it refuses
 */
export async function enroll(options: EnrollOptions): Promise<Identity> {
  const { disk, token, name, facts, kind } = options;
  const { signing, sealing } = await makeKeys();
  const request: EnrollRequest = { token, name, publicKey: signing.x!, sealingKey: sealing.x!, facts, kind };
  const answer = await options.post("/enroll", request);
  if (answer.status >= 400) {
    const detail = (answer.body as { detail?: string } | null)?.detail;
    throw new Error(`The master refused to enrol this machine: ${detail ?? `HTTP ${answer.status}`}`);
  }
  const { agentId, masterId, name: given, releaseKey } = EnrollResponse.parse(answer.body);
  const file: IdentityFile = { agentId, name: given, masterId, signing, sealing, releaseKey };
  await disk.writeAtomic(FILE, toJson(file));
  return identityOf(disk, file);
}

/** An operator within the master: its link is trusted, and its sealing key lives as long as the process. */
export async function createEmbeddedIdentity(agentId: string): Promise<{ identity: Identity; sealingKey: string }> {
  const { sealing } = await makeKeys();
  const identity: Identity = {
    agentId,
    name: "embedded",
    masterId: null,
    sign: () => Promise.resolve(""),
    openSecrets: (sealed, lease) => openSealed([sealing], sealed, lease),
  };
  return { identity, sealingKey: sealing.x! };
}

async function identityOf(disk: Disk, loaded: IdentityFile): Promise<Identity> {
  const { agentId, name, masterId } = loaded;
  /** As it stands on the disk. */
  let file = loaded;
  let key = await toSigningKey(file.signing);
  let offered: { requestId: string; signing: JsonWebKey; sealing: JsonWebKey } | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  /** One write after the other, each upon what the one before has left. */
  const write = (change: () => Partial<IdentityFile>): Promise<void> => {
    const written = turn.then(async () => {
      const next = { ...file, ...change() };
      await disk.writeAtomic(FILE, toJson(next));
      file = next;
    });
    turn = written.catch(() => {}); // its caller hears of it; the next write is not held up by it
    return written;
  };
  return {
    agentId,
    name,
    masterId,
    sign: (nonce, master) => signWith(key, signedHello(nonce, agentId, master)),
    openSecrets: (sealed, lease) => openSealed([file.sealing, ...file.sealedBefore ?? []], sealed, lease),
    renewal: {
      tickets: () => file.tickets ?? [],
      keepTicket: (ticket) => write(() => ({ tickets: [ticket, ...file.tickets ?? []].slice(0, TICKETS_KEPT) })),
      async offer(requestId) {
        await turn; // a switch that is being written decides which key signs this offer
        const pair = await makeKeys();
        const keys = { publicKey: pair.signing.x!, sealingKey: pair.sealing.x! };
        const bytes = signedOffer(requestId, agentId, masterId, keys);
        const [signature, newSignature] = [
          await signWith(key, bytes),
          await signWith(await toSigningKey(pair.signing), bytes),
        ];
        offered = { requestId, ...pair };
        return { requestId, ...keys, signature, newSignature };
      },
      async switchTo(requestId) {
        const pair = offered;
        if (pair?.requestId !== requestId) return false;
        offered = undefined;
        const next = await toSigningKey(pair.signing);
        await write(() => ({
          signing: pair.signing,
          sealing: pair.sealing,
          sealedBefore: [file.sealing, ...file.sealedBefore ?? []].slice(0, SEALING_KEYS_KEPT),
        }));
        key = next;
        return true;
      },
      releaseKey: () => file.releaseKey,
      pinReleaseKey: (given) => write(() => ({ releaseKey: file.releaseKey ?? given })),
    },
  };
}
