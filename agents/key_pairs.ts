/** Making, using and writing down the two pairs of keys of an identity. */
import { compactDecrypt, errors } from "jose";
import type { Lease } from "../protocol/agent_messages.ts";

const ED25519 = { name: "Ed25519" };
const X25519 = { name: "X25519" };

export async function makeKeys(): Promise<{ signing: JsonWebKey; sealing: JsonWebKey }> {
  const [signing, sealing] = await Promise.all([makeKey(ED25519, ["sign", "verify"]), makeKey(X25519, ["deriveBits"])]);
  return { signing, sealing };
}

async function makeKey(algorithm: { name: string }, uses: KeyUsage[]): Promise<JsonWebKey> {
  const pair = await crypto.subtle.generateKey(algorithm, true, uses) as CryptoKeyPair;
  const { kty, crv, x, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
  return { kty, crv, x, d };
}

export const toSigningKey = (signing: JsonWebKey): Promise<CryptoKey> =>
  crypto.subtle.importKey("jwk", signing, ED25519, false, ["sign"]);

/** @returns base64url */
export async function signWith(key: CryptoKey, bytes: Uint8Array): Promise<string> {
  const signature = new Uint8Array(await crypto.subtle.sign(ED25519, key, bytes as Uint8Array<ArrayBuffer>));
  return btoa(String.fromCharCode(...signature)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * @param keys the newest first: what a task was given before a renewal is sealed to the one before
 * @throws Error when it was sealed to none of them, or for another lease
 */
export async function openSealed(
  keys: readonly JsonWebKey[],
  sealed: string,
  { taskId, fence }: Lease,
): Promise<Record<string, string>> {
  for (const [at, sealing] of keys.entries()) {
    try {
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, {
        kty: "OKP",
        crv: "X25519",
        x: sealing.x!,
        d: sealing.d!,
      }, { keyManagementAlgorithms: ["ECDH-ES"], contentEncryptionAlgorithms: ["A256GCM"] });
      // Bound to its lease: secrets of one task, or of an earlier attempt, cannot be played into another.
      if (protectedHeader.taskId !== taskId || protectedHeader.fence !== fence) {
        throw new Error("The secrets were sealed for another lease.");
      }
      return JSON.parse(new TextDecoder().decode(plaintext)) as Record<string, string>;
    } catch (error: unknown) {
      const isLast = at === keys.length - 1;
      if (isLast || !(error instanceof errors.JWEDecryptionFailed)) throw error;
    }
  }
  throw new Error("This agent has no key to open secrets with.");
}
