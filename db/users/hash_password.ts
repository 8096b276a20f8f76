/**
 * Passwords by scrypt (N = 2^15, r = 8, p = 1): 32 MiB and about a tenth of a second each, so few at a time, or a burst
 * of sign-ins would take the machine's memory.
 */
import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

const COST = { N: 2 ** 15, r: 8, p: 1 };
const AT_ONCE = 2;
/** What an unknown user's attempt is checked against, so that it costs as much as a known one's. */
const NOBODY = `scrypt$${COST.N}$${COST.r}$${COST.p}$${"A".repeat(22)}==$${"A".repeat(43)}=`;

/** @returns `scrypt$N$r$p$salt$hash`, salt and hash in base64 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, COST);
  return `scrypt$${COST.N}$${COST.r}$${COST.p}$${salt.toString("base64")}$${hash.toString("base64")}`;
}

/** Takes as long when `stored` is undefined (no such user) as for a wrong password. */
export async function isPassword(password: string, stored: string | undefined): Promise<boolean> {
  const [kind, N, r, p, salt, hash] = (stored ?? NOBODY).split("$");
  if (kind !== "scrypt" || !salt || !hash) throw new Error("a stored password hash is not one of ours");
  const made = await derive(password, Buffer.from(salt, "base64"), { N: Number(N), r: Number(r), p: Number(p) });
  const same = timingSafeEqual(made, Buffer.from(hash, "base64"));
  return same && stored !== undefined;
}

let busy = 0;
const waiting: (() => void)[] = [];

async function derive(password: string, salt: Uint8Array, cost: typeof COST): Promise<Buffer> {
  // A released place is handed over without `busy` falling in between, so nobody slips past the queue.
  if (busy >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else busy++;
  try {
    return await new Promise((resolve, reject) =>
      scrypt(
        password.normalize("NFKC"),
        salt,
        32,
        { ...cost, maxmem: 64 * 1024 * 1024 },
        (error, key) => error ? reject(error) : resolve(key),
      )
    );
  } finally {
    const next = waiting.shift();
    if (next) next();
    else busy--;
  }
}
