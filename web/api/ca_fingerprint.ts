/** SHA-256 of the master's own certificate authority, which an enrolment line pins; undefined where it has none. */
export async function readCaFingerprint(): Promise<string | undefined> {
  if (location.protocol !== "https:" || !globalThis.isSecureContext) return undefined;
  const answer = await fetch("/api/v1/ca.pem");
  if (!answer.ok) return undefined;
  return await fingerprintOf(await answer.text());
}

/** Of the DER form, lower-case hex. */
export async function fingerprintOf(pem: string): Promise<string | undefined> {
  const [, base64] = pem.match(/-----BEGIN CERTIFICATE-----([\s\S]+?)-----END CERTIFICATE-----/) ?? [];
  if (!base64) return undefined;
  const der = Uint8Array.from(atob(base64.replace(/\s/g, "")), (char) => char.charCodeAt(0));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", der));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
