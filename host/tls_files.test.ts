import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { certificateFingerprint, readCertificate } from "./certificate_authority.ts";
import { ownTls, readTlsFiles, type TlsMaterial } from "./tls_files.ts";

const NOW = new Date();
const later = (days: number) => new Date(NOW.getTime() + days * 86_400_000);
let dataDir = "";
beforeEach(async () => void (dataDir = await mkdtemp(join(tmpdir(), "boreas-tls-"))));
afterEach(() => rm(dataDir, { recursive: true }));

/** The answer of a real server with that certificate, to a client that trusts `ca` and calls it by that name. */
async function call(tls: TlsMaterial, client: { ca?: string; servername?: string; host?: string }): Promise<string> {
  const server = createServer({ cert: tls.cert, key: tls.key }, (_request, response) => response.end("hello"));
  await new Promise<void>((done) => server.listen(0, client.host ?? "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise((resolve, reject) => {
      get({ port, host: "127.0.0.1", agent: false, ...client }, (response) => {
        response.setEncoding("utf8").on("data", resolve);
      }).on("error", reject);
    });
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

describe("the master's own certificate", () => {
  it("is accepted by a client that trusts its authority, by every name it has", async () => {
    const tls = await ownTls({ dataDir, hosts: ["boreas.example.com", "[2001:db8::7]"], now: NOW });
    for (const servername of ["localhost", "boreas.example.com", hostname()]) {
      expect(await call(tls, { ca: tls.ca, servername })).toBe("hello");
    }
    expect(await call(tls, { ca: tls.ca, host: "::1" })).toBe("hello");
    expect(readCertificate(tls.cert).hosts).toContain("2001:db8::7");
  });

  it("is refused by a client that does not trust its authority, and under a name it does not have", async () => {
    const tls = await ownTls({ dataDir, now: NOW });
    await expect(call(tls, {})).rejects.toThrow(/certificate|issuer|self/i);
    await expect(call(tls, { ca: tls.ca, servername: "elsewhere.example.com" })).rejects.toThrow(/name|altnames/i);
  });

  it("is refused when another authority of the same name signed it", async () => {
    const tls = await ownTls({ dataDir, now: NOW });
    await rm(join(dataDir, "tls"), { recursive: true });
    const other = await ownTls({ dataDir, now: NOW });
    expect(other.fingerprint).not.toBe(tls.fingerprint);
    await expect(call(tls, { ca: other.ca })).rejects.toThrow();
  });

  it("is kept over restarts, its keys closed to others", async () => {
    const first = await ownTls({ dataDir, hosts: ["a.example.com"], now: NOW });
    expect(await ownTls({ dataDir, hosts: ["a.example.com"], now: later(300) })).toEqual(first);
    for (const key of ["ca.key", "server.key"]) {
      expect((await stat(join(dataDir, "tls", key))).mode & 0o777).toBe(0o600);
    }
  });

  it("is renewed a month before its end and for a new name, under the same authority", async () => {
    const first = await ownTls({ dataDir, now: later(-370) });
    const renewed = await ownTls({ dataDir, now: NOW });
    expect(renewed.cert).not.toBe(first.cert);
    expect(readCertificate(renewed.cert).notAfter.getTime()).toBeGreaterThan(later(390).getTime());
    const named = await ownTls({ dataDir, hosts: ["new.example.com"], now: NOW });
    expect(readCertificate(named.cert).hosts).toContain("new.example.com");
    expect([renewed.fingerprint, named.fingerprint]).toEqual([first.fingerprint, first.fingerprint]);
    expect(await call(named, { ca: first.ca, servername: "new.example.com" })).toBe("hello");
  });

  it("is made anew when a crash left a key beside another certificate", async () => {
    const first = await ownTls({ dataDir, now: NOW });
    await writeFile(join(dataDir, "tls/server.key"), await readFile(join(dataDir, "tls/ca.key")));
    const second = await ownTls({ dataDir, now: NOW });
    expect(second.cert).not.toBe(first.cert);
    expect(await call(second, { ca: first.ca })).toBe("hello");
  });

  it("has the fingerprint that openssl prints for its authority", async () => {
    const tls = await ownTls({ dataDir, now: NOW });
    const { stdout } = await new Deno.Command("openssl", {
      args: ["x509", "-in", join(dataDir, "tls/ca.pem"), "-noout", "-fingerprint", "-sha256"],
    }).output();
    const printed = new TextDecoder().decode(stdout).split("=")[1]!.trim().replaceAll(":", "").toLowerCase();
    expect(tls.fingerprint).toBe(printed);
    expect((await readFile(join(dataDir, "ca.sha256"), "utf8")).trim()).toBe(printed);
  });
});

describe("given files", () => {
  it("are used as they are, a chain with its last certificate as the authority", async () => {
    const own = await ownTls({ dataDir, now: NOW });
    const [cert, key] = [join(dataDir, "cert.pem"), join(dataDir, "key.pem")];
    await writeFile(cert, `${own.cert}\n${own.ca}`);
    await writeFile(key, own.key);
    const given = await readTlsFiles(cert, key);
    expect(await certificateFingerprint(given.ca)).toBe(own.fingerprint);
    expect(await call(given, { ca: given.ca })).toBe("hello");
  });

  it("are refused with a sentence that names the variable and the file", async () => {
    const own = await ownTls({ dataDir, now: NOW });
    const missing = join(dataDir, "missing.pem");
    await expect(readTlsFiles(missing, missing)).rejects.toThrow(
      `BOREAS_TLS_CERT names ${missing}, which cannot be read`,
    );
    const [cert, key] = [join(dataDir, "cert.pem"), join(dataDir, "tls/ca.key")];
    await writeFile(cert, own.cert);
    await expect(readTlsFiles(cert, key)).rejects.toThrow("are not a certificate and its key");
  });
});
