/** @param publicKey base64url raw Ed25519 @param signature base64url */
export async function isSignedBy(publicKey: string, bytes: Uint8Array, signature: string): Promise<boolean> {
  const raw = fromBase64Url(signature);
  if (!raw || raw.length !== 64) return false;
  const key = await crypto.subtle.importKey("raw", fromBase64Url(publicKey)!, "Ed25519", false, ["verify"]);
  return await crypto.subtle.verify("Ed25519", key, raw, new Uint8Array(bytes));
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}
