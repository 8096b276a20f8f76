/**
 * The listener's certificate: the files that were given, or the master's own in `<data dir>/tls` (ca.pem, ca.key,
 * server.pem, server.key). The authority is made once and kept; the certificate is made anew when it nears its end or
 * misses a name. `<data dir>/ca.sha256` says the fingerprint to those who may not see the keys. A crash between two writes leaves a pair that does not fit: it is noticed and made anew.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import {
  certificateFingerprint,
  createAuthority,
  issueCertificate,
  type Issued,
  readCertificate,
} from "./certificate_authority.ts";

export interface TlsMaterial {
  cert: string;
  key: string;
  /** The authority to trust; for given files the last certificate of the chain. */
  ca: string;
  /** SHA-256 of `ca` in DER form, lower-case hex: what BOREAS_CA_FINGERPRINT pins. Undefined for given files. */
  fingerprint?: string;
}

const RENEW_BEFORE_MS = 30 * 86_400_000;

/** @throws Error with a sentence that names the file, when it is missing, unreadable or not a pair */
export async function readTlsFiles(certPath: string, keyPath: string): Promise<TlsMaterial> {
  const [cert, key] = [await readGiven("BOREAS_TLS_CERT", certPath), await readGiven("BOREAS_TLS_KEY", keyPath)];
  if (!isPair({ cert, key })) {
    throw new Error(`BOREAS_TLS_CERT (${certPath}) and BOREAS_TLS_KEY (${keyPath}) are not a certificate and its key.`);
  }
  const chain = cert.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)!;
  return { cert, key, ca: chain.at(-1)! };
}

export interface OwnTls {
  dataDir: string;
  /** Further names people reach us by: above all the host of BOREAS_PUBLIC_URL. */
  hosts?: string[];
  now: Date;
}

export async function ownTls({ dataDir, hosts = [], now }: OwnTls): Promise<TlsMaterial> {
  const folder = join(dataDir, "tls");
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const wanted = [...new Set(["localhost", "127.0.0.1", "::1", hostname(), ...hosts.map(bare)])];

  const kept = await readPair(folder, "ca");
  const authority = kept ?? await createAuthority(`Boreas of ${hostname()}`, now);
  if (!kept) await writePair(folder, "ca", authority);

  let server = await readPair(folder, "server");
  if (!server || !isFresh(server, authority, wanted, now)) {
    server = await issueCertificate(authority, wanted, now);
    await writePair(folder, "server", server);
  }
  const fingerprint = await certificateFingerprint(authority.cert);
  await writeWhole(join(dataDir, "ca.sha256"), `${fingerprint}\n`, 0o644);
  return { ...server, ca: authority.cert, fingerprint };
}

function isFresh(server: Issued, authority: Issued, wanted: string[], now: Date): boolean {
  const { hosts, notAfter } = readCertificate(server.cert);
  const names = new Set(hosts.map(bare));
  const issued = new X509Certificate(server.cert).verify(new X509Certificate(authority.cert).publicKey);
  return issued && notAfter.getTime() - now.getTime() > RENEW_BEFORE_MS && wanted.every((host) => names.has(host));
}

/** Addresses have many spellings (`[::1]`, `0:0:0:0:0:0:0:1`); a URL gives the short one. */
function bare(host: string): string {
  const text = host.replace(/^\[|\]$/g, "").toLowerCase();
  return text.includes(":") ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
}

function isPair({ cert, key }: Issued): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (_error: unknown) {
    return false; // one of them is not PEM at all
  }
}

async function readPair(folder: string, name: string): Promise<Issued | undefined> {
  try {
    const pair = {
      cert: await Deno.readTextFile(join(folder, `${name}.pem`)),
      key: await Deno.readTextFile(join(folder, `${name}.key`)),
    };
    return isPair(pair) ? pair : undefined;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function writePair(folder: string, name: string, { cert, key }: Issued): Promise<void> {
  await writeWhole(join(folder, `${name}.key`), key, 0o600);
  await writeWhole(join(folder, `${name}.pem`), cert, 0o644);
}

async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, text, { mode });
  await Deno.rename(`${path}.new`, path);
}

async function readGiven(variable: string, path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error: unknown) {
    throw new Error(`${variable} names ${path}, which cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}
