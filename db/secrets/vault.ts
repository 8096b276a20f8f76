/**
 * Envelope encryption of what must be kept secret in the database. Each value has a key of its own (AES-256-GCM), which is
 * sealed by the master key in turn; both seals authenticate the row they belong to, so a value that is copied to another
 * row does not open. Layout: version(1) keyId(8) ivK(12) sealedKey(48) ivV(12) sealedValue(n + 16).
 */
const VERSION = 1;

export interface Vault {
  /** @param place table, row id and column, e.g. `repository:0190...:webhook_secret` */
  seal(place: string, value: string): Promise<Uint8Array>;
  /** @throws Error when the key is another one or the bytes belong to another place */
  open(place: string, sealed: Uint8Array): Promise<string>;
  /**
   * What nobody without the key can make up for this text, in hexadecimal; the same each time. The present key's first,
   * then that of the previous one.
   */
  marks(text: string): Promise<[string, ...string[]]>;
  /** Whether the present key sealed it, and not the previous one. */
  isCurrent(sealed: Uint8Array): boolean;
}

interface MasterKey {
  key: CryptoKey;
  markKey: CryptoKey;
  id: Uint8Array;
}

async function readMasterKey(secretKey: Uint8Array): Promise<MasterKey> {
  const raw = await deriveKey(secretKey, "boreas.vault.v1", 32);
  const markKey = await deriveKey(secretKey, "boreas.marks.v1", 32);
  return {
    key: await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]),
    markKey: await crypto.subtle.importKey("raw", markKey, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]),
    id: new Uint8Array(await crypto.subtle.digest("SHA-256", raw)).slice(0, 8),
  };
}
const isSealedBy = ({ id }: MasterKey, sealed: Uint8Array) => id.every((byte, i) => sealed[i + 1] === byte);

/**
 * @param secretKey the 32 bytes of BOREAS_SECRET_KEY; keys for each purpose derive from it
 * @param previousKey opens what was sealed before the key changed, and seals nothing
 */
export async function createVault(secretKey: Uint8Array, previousKey?: Uint8Array | null): Promise<Vault> {
  const current = await readMasterKey(secretKey);
  const { key: master, id: keyId } = current;
  const keys = [current, ...(previousKey ? [await readMasterKey(previousKey)] : [])];
  const text = new TextEncoder();
  return {
    async seal(place, value) {
      const additionalData = text.encode(place);
      const dataKey = crypto.getRandomValues(new Uint8Array(32));
      const ivK = crypto.getRandomValues(new Uint8Array(12));
      const ivV = crypto.getRandomValues(new Uint8Array(12));
      const key = await crypto.subtle.importKey("raw", dataKey, "AES-GCM", false, ["encrypt"]);
      const sealedKey = await crypto.subtle.encrypt({ name: "AES-GCM", iv: ivK, additionalData }, master, dataKey);
      const sealedValue = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv: ivV, additionalData },
        key,
        text.encode(value),
      );
      return concat(new Uint8Array([VERSION]), keyId, ivK, new Uint8Array(sealedKey), ivV, new Uint8Array(sealedValue));
    },
    async open(place, sealed) {
      const additionalData = text.encode(place);
      const bytes = new Uint8Array(sealed);
      if (bytes[0] !== VERSION || bytes.length < 97) throw new Error(`${place} holds no sealed value`);
      const sealedBy = keys.find((known) => isSealedBy(known, bytes));
      if (!sealedBy) {
        throw new Error(`${place} was sealed with another key; set BOREAS_SECRET_KEY to the one it was sealed with`);
      }
      const dataKey = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: bytes.slice(9, 21), additionalData },
        sealedBy.key,
        bytes.slice(21, 69),
      );
      const key = await crypto.subtle.importKey("raw", dataKey, "AES-GCM", false, ["decrypt"]);
      const value = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: bytes.slice(69, 81), additionalData },
        key,
        bytes.slice(81),
      );
      return new TextDecoder().decode(value);
    },
    async marks(words) {
      const mark = async ({ markKey }: MasterKey) =>
        new Uint8Array(await crypto.subtle.sign("HMAC", markKey, text.encode(words))).slice(0, 16).toHex();
      return [await mark(current), ...await Promise.all(keys.slice(1).map(mark))];
    },
    isCurrent: (sealed) => isSealedBy(current, sealed),
  };
}

/** HKDF-SHA256: one secret key, a key of its own for each purpose. */
export async function deriveKey(
  secretKey: Uint8Array,
  purpose: string,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", new Uint8Array(secretKey), "HKDF", false, ["deriveBits"]);
  const info = new TextEncoder().encode(purpose);
  return new Uint8Array(
    await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(32), info }, key, bytes * 8),
  );
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
