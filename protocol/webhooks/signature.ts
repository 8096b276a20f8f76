/** Signatures over raw bytes, compared in constant time. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { SignedRequest } from "./webhook.ts";

/** Standard Webhooks: a signature older or newer than this is refused. */
const TOLERANCE_SECONDS = 300;
/** A header with more candidates than this is no honest sender's. */
const MAX_SIGNATURES = 10;

export function hmacSha256(key: Uint8Array | string, ...parts: (Uint8Array | string)[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** `given` is 64 hexadecimal digits, with the prefix before it where the provider has one. */
export function isHexSignature(given: string | undefined, prefix: string, request: SignedRequest): boolean {
  if (request.secret === "" || given === undefined || !given.startsWith(prefix)) return false;
  const hex = given.slice(prefix.length);
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) return false;
  const bytes = Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
  return timingSafeEqual(bytes, hmacSha256(request.secret, request.body));
}

/** Both sides are hashed first, so that neither length nor content shows in the time it takes. */
export function isSameText(given: string | undefined, expected: string): boolean {
  if (expected === "" || given === undefined) return false;
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** standardwebhooks.com: HMAC over `id.timestamp.body`; the header may list several signatures while a key is rotated. */
export function isStandardWebhook({ body, header, secret, now }: SignedRequest): boolean {
  const key = standardKey(secret);
  const id = header("webhook-id");
  const timestamp = header("webhook-timestamp");
  const listed = header("webhook-signature");
  if (key.length === 0 || !id || !timestamp || !listed || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(now.getTime() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const expected = hmacSha256(key, `${id}.${timestamp}.`, body);
  let valid = false;
  for (const candidate of listed.split(" ").slice(0, MAX_SIGNATURES)) {
    const given = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(candidate)?.[1];
    if (given !== undefined && timingSafeEqual(fromBase64(given), expected)) valid = true;
  }
  return valid;
}

/** `whsec_...` holds the key in base64; any other secret is the key itself. */
function standardKey(secret: string): Uint8Array {
  if (!secret.startsWith("whsec_")) return new TextEncoder().encode(secret);
  const base64 = secret.slice("whsec_".length);
  return /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? fromBase64(base64) : new Uint8Array();
}

function fromBase64(text: string): Uint8Array {
  const padded = text.replace(/=+$/, "");
  if (padded.length % 4 === 1) return new Uint8Array();
  return Uint8Array.from(atob(padded), (c) => c.charCodeAt(0));
}
