/**
 * The key that releases of the agent are signed with: made once per database, its private half sealed there, so that
 * every master on it signs alike. Agents pin the public half when they enrol.
 */
import type { Database } from "../db/database.ts";
import type { Vault } from "../db/secrets/vault.ts";
import { signedRelease } from "../protocol/release.ts";
import type { ReleaseManifest } from "../protocol/release.ts";

export interface ReleaseKey {
  /** base64url raw Ed25519. */
  publicKey: string;
  sign(manifest: Omit<ReleaseManifest, "signature">): Promise<ReleaseManifest>;
}

const PLACE = "setting:releaseKey:value";
const ED25519 = { name: "Ed25519" };

export async function loadReleaseKey(db: Database, vault: Vault): Promise<ReleaseKey> {
  const read = async () =>
    (await db.sql<{ value: number[] }[]>`select value from setting where key = 'releaseKey'`)[0]?.value;
  let sealed = await read();
  if (!sealed) {
    const pair = await crypto.subtle.generateKey(ED25519, true, ["sign", "verify"]) as CryptoKeyPair;
    const made = await vault.seal(PLACE, JSON.stringify(await crypto.subtle.exportKey("jwk", pair.privateKey)));
    // Another master may have been first: what is there counts.
    await db.sql`insert into setting (key, value) values ('releaseKey', ${db.sql.json(Array.from(made))})
      on conflict do nothing`;
    sealed = (await read())!;
  }
  const jwk = JSON.parse(await vault.open(PLACE, new Uint8Array(sealed))) as JsonWebKey;
  const key = await crypto.subtle.importKey("jwk", jwk, ED25519, false, ["sign"]);
  return {
    publicKey: jwk.x!,
    async sign(manifest) {
      const signature = await crypto.subtle.sign(ED25519, key, new Uint8Array(signedRelease(manifest)));
      return { ...manifest, signature: toBase64Url(new Uint8Array(signature)) };
    },
  };
}

const toBase64Url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
