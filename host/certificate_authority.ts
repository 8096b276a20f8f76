/**
 * The master's own certificate authority, for a listener beyond loopback that was given no certificate. People trust
 * it by pasting its fingerprint: the enrolment line carries that, so it must outlive every renewal of the certificate.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

export interface Issued {
  cert: string;
  key: string;
}

const ALGORITHM: EcKeyGenParams & { hash: string } = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
/** Apple's limit for a certificate that its systems accept is 825 days, and 398 in browsers. */
const CERTIFICATE_DAYS = 397;
/** Peers whose clock is behind ours accept a fresh certificate. */
const SKEW_MS = DAY_MS;

export async function createAuthority(name: string, now: Date): Promise<Issued> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    notBefore: new Date(now.getTime() - SKEW_MS),
    notAfter: new Date(now.getTime() + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

/** A server certificate for these names; addresses among them become IP entries. */
export async function issueCertificate(authority: Issued, hosts: string[], now: Date): Promise<Issued> {
  const issuer = new x509.X509Certificate(authority.cert);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [hosts[0]!] }],
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(now.getTime() - SKEW_MS),
    notAfter: new Date(Math.min(now.getTime() + CERTIFICATE_DAYS * DAY_MS, issuer.notAfter.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isAddress(value) ? "ip" as const : "dns" as const, value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

export interface CertificateFacts {
  hosts: string[];
  notAfter: Date;
}

export function readCertificate(pem: string): CertificateFacts {
  const certificate = new x509.X509Certificate(pem);
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  return { hosts: names.map(({ value }) => value), notAfter: certificate.notAfter };
}

/** SHA-256 of the DER form, in lower-case hex: what `openssl x509 -fingerprint -sha256` prints without its colons. */
export async function certificateFingerprint(pem: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new x509.X509Certificate(pem).rawData);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The certificate whose fingerprint that is, without what else stands in the text. */
export const firstCertificate = (pem: string): string => new x509.X509Certificate(pem).toString("pem");

/** RFC 5280: positive and at most 20 bytes; 16 random bytes cannot be guessed or repeated. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const isAddress = (host: string) => /^\d+\.\d+\.\d+\.\d+$/.test(host) || host.includes(":");

async function exportKey(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function importKey(pem: string): Promise<CryptoKey> {
  return await crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), ALGORITHM, false, ["sign"]);
}
