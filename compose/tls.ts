import { ownTls, readTlsFiles } from "../host/tls_files.ts";
import type { Clock } from "../domain/ports.ts";
import type { Settings } from "./settings.ts";

export interface OpenedTls {
  cert: string;
  key: string;
  /** PEM of our own authority, for those who pin it; undefined with given files. */
  ownCa: string | undefined;
  fingerprint: string | undefined;
}

export async function openTls(settings: Settings, clock: Clock): Promise<OpenedTls | undefined> {
  if (settings.tls.kind === "off") return undefined;
  if (settings.tls.kind === "files") {
    const { cert, key } = await readTlsFiles(settings.tls.cert, settings.tls.key);
    return { cert, key, ownCa: undefined, fingerprint: undefined };
  }
  const hosts = [new URL(settings.publicUrl).hostname];
  const { cert, key, ca, fingerprint } = await ownTls({ dataDir: settings.dataDir, hosts, now: clock.now() });
  return { cert, key, ownCa: ca, fingerprint };
}
