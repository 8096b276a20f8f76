/**
 * Who this agent is: an Ed25519 key that signs each connection's nonce and an X25519 key that secrets are sealed to. Both
 * are made here once, at enrolment; their private halves never leave the disk they were written to.
 */
import { compactDecrypt } from "jose";
import type { Disk } from "../domain/ports.ts";
import {
  type AgentFacts,
  type EnrollRequest,
  EnrollResponse,
  type Lease,
  signedHello,
} from "../protocol/agent_messages.ts";
import { readJson, toJson } from "./journal.ts";

export interface Identity {
  agentId: string;
  name: string;
  /** Pinned at enrolment; null where the link itself is trusted (in memory). */
  masterId: string | null;
  /** base64url; empty where the link itself is trusted. */
  sign(nonce: string, masterId: string): Promise<string>;
  /** @throws Error when it was sealed to another key or for another lease */
  openSecrets(sealed: string, lease: Lease): Promise<Record<string, string>>;
}

interface IdentityFile {
  agentId: string;
  name: string;
  masterId: string;
  signing: JsonWebKey;
  sealing: JsonWebKey;
}

const FILE = "identity.json";
const ED25519 = { name: "Ed25519" };
const X25519 = { name: "X25519" };

export async function loadIdentity(disk: Disk): Promise<Identity | undefined> {
  const file = await readJson<IdentityFile | null>(disk, FILE, null);
  return file ? identityOf(file) : undefined;
}

export interface EnrollOptions {
  disk: Disk;
  /** Already bound to the master's address and trust: takes a path below `/api/v1`. */
  post(path: string, body: unknown): Promise<{ status: number; body: unknown }>;
  token: string;
  name: string;
  facts: AgentFacts;
}

/**
 * Trades a one-time token for an identity. An agent that dies between the master's yes and its own note of it has spent
 * a use of the token and shows as one that never connected; it enrols anew.
 * @throws Error with the master's sentence when it refuses
 */
export async function enroll(options: EnrollOptions): Promise<Identity> {
  const { disk, token, name, facts } = options;
  const [signing, sealing] = await Promise.all([makeKey(ED25519, ["sign", "verify"]), makeKey(X25519, ["deriveBits"])]);
  const request: EnrollRequest = { token, name, publicKey: signing.x!, sealingKey: sealing.x!, facts };
  const answer = await options.post("/enroll", request);
  if (answer.status >= 400) {
    const detail = (answer.body as { detail?: string } | null)?.detail;
    throw new Error(`The master refused to enrol this machine: ${detail ?? `HTTP ${answer.status}`}`);
  }
  const { agentId, masterId, name: given } = EnrollResponse.parse(answer.body);
  const file: IdentityFile = { agentId, name: given, masterId, signing, sealing };
  await disk.writeAtomic(FILE, toJson(file));
  return identityOf(file);
}

/** An operator within the master: its link is trusted, and its sealing key lives as long as the process. */
export async function createEmbeddedIdentity(agentId: string): Promise<{ identity: Identity; sealingKey: string }> {
  const sealing = await makeKey(X25519, ["deriveBits"]);
  const identity: Identity = {
    agentId,
    name: "embedded",
    masterId: null,
    sign: () => Promise.resolve(""),
    openSecrets: secretsOpener(sealing),
  };
  return { identity, sealingKey: sealing.x! };
}

async function identityOf(file: IdentityFile): Promise<Identity> {
  const key = await crypto.subtle.importKey("jwk", file.signing, ED25519, false, ["sign"]);
  return {
    agentId: file.agentId,
    name: file.name,
    masterId: file.masterId,
    async sign(nonce, masterId) {
      const bytes = signedHello(nonce, file.agentId, masterId);
      const signature = await crypto.subtle.sign(ED25519, key, bytes as Uint8Array<ArrayBuffer>);
      return toBase64Url(new Uint8Array(signature));
    },
    openSecrets: secretsOpener(file.sealing),
  };
}

function secretsOpener(sealing: JsonWebKey): Identity["openSecrets"] {
  const key = { kty: "OKP", crv: "X25519", x: sealing.x!, d: sealing.d! };
  return async (sealed, { taskId, fence }) => {
    const { plaintext, protectedHeader } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: ["ECDH-ES"],
      contentEncryptionAlgorithms: ["A256GCM"],
    });
    // Bound to its lease: secrets of one task, or of an earlier attempt, cannot be played into another.
    if (protectedHeader.taskId !== taskId || protectedHeader.fence !== fence) {
      throw new Error("The secrets were sealed for another lease.");
    }
    return JSON.parse(new TextDecoder().decode(plaintext)) as Record<string, string>;
  };
}

async function makeKey(algorithm: { name: string }, uses: KeyUsage[]): Promise<JsonWebKey> {
  const pair = await crypto.subtle.generateKey(algorithm, true, uses) as CryptoKeyPair;
  const { kty, crv, x, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
  return { kty, crv, x, d };
}

const toBase64Url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
