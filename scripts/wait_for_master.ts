/**
 * Waits until the master of a data folder serves and has left the join token for this machine's agent, and says how the
 * agent reaches it: plainly on loopback, else by TLS, with the authority in the folder to trust or the given names.
 */
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { certificateFingerprint } from "../host/certificate_authority.ts";

export interface Reached {
  url: string;
  /** Of the master's own authority; undefined when the certificate was given, or none is used. */
  caFingerprint?: string;
}

const EVERY_MS = 50;

export async function waitForMaster(
  options: { dataDir: string; port: number; publicUrl?: string | undefined; signal: AbortSignal },
): Promise<Reached> {
  while (true) {
    options.signal.throwIfAborted();
    if (await readText(join(options.dataDir, "local-agent.token"))) {
      const reached = await reach(options);
      if (reached) return reached;
    }
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}

async function reach({ dataDir, port, publicUrl }: { dataDir: string; port: number; publicUrl?: string | undefined }) {
  const plain = `http://127.0.0.1:${port}`;
  if (await serves(plain)) return { url: plain };
  const ca = await readText(join(dataDir, "tls/ca.pem"));
  const own = `https://127.0.0.1:${port}`;
  if (ca && await serves(own, ca)) return { url: own, caFingerprint: await certificateFingerprint(ca) };
  if (publicUrl && await serves(publicUrl)) return { url: publicUrl };
  return undefined;
}

function serves(url: string, ca?: string): Promise<boolean> {
  const target = new URL("/v1/health", url);
  const get = target.protocol === "https:" ? https.get : http.get;
  return new Promise((resolve) => {
    get(target, { ca, agent: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on("timeout", function (this: http.ClientRequest) {
      this.destroy();
    }).on("error", () => resolve(false)); // not there yet, or of the other kind: the next round asks again
  });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
