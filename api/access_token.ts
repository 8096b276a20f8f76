/** The short-lived proof of a signed-in person: a JWT of 15 minutes, HS256 and nothing else. */
import { errors, jwtVerify, SignJWT } from "jose";
import type { Clock } from "../domain/ports.ts";

export const ACCESS_SECONDS = 15 * 60;
const ISSUER = "boreas";
const AUDIENCE = "boreas.api";

export interface AccessClaims {
  userId: string;
  /** Family of the refresh tokens: when the session ends, its access tokens end with it. */
  session: string;
}

/** jose takes an HS256 key of any length, so its strength is checked here. */
export function checkKey(key: Uint8Array): Uint8Array {
  if (key.length < 32) throw new Error("the key for access tokens has less than 32 bytes");
  return key;
}

export async function signAccessToken(key: Uint8Array, clock: Clock, claims: AccessClaims): Promise<string> {
  const now = Math.floor(clock.now().getTime() / 1000);
  return await new SignJWT({ sid: claims.session })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuer(ISSUER).setAudience(AUDIENCE).setSubject(claims.userId)
    .setIssuedAt(now).setExpirationTime(now + ACCESS_SECONDS)
    .sign(checkKey(key));
}

/** @returns why it is refused, in a word, when it is */
export async function verifyAccessToken(
  key: Uint8Array,
  clock: Clock,
  token: string,
): Promise<AccessClaims | "expired" | "invalid"> {
  try {
    const { payload } = await jwtVerify(token, checkKey(key), {
      algorithms: ["HS256"],
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ["exp", "sub", "sid"],
      currentDate: clock.now(),
    });
    const { sub, sid } = payload;
    return isUuid(sub) && isUuid(sid) ? { userId: sub, session: sid } : "invalid";
  } catch (error: unknown) {
    if (error instanceof errors.JWTExpired) return "expired";
    if (error instanceof errors.JOSEError) return "invalid";
    // A header or payload that is not even text or JSON is the sender's doing as well.
    if (error instanceof SyntaxError || error instanceof TypeError) return "invalid";
    throw error;
  }
}

const isUuid = (value: unknown): value is string =>
  typeof value === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value);
