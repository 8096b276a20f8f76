/**
 * Git connects to the very address that was checked: it would ask for the name once more, and by then the name may lead
 * elsewhere. The name stays what TLS verifies and what a host's key is known by. Behind a proxy, the proxy looks it up.
 */
import { AppError } from "../domain/app_error.ts";
import { GitError } from "../domain/git.ts";
import type { RepositoryAddress } from "../domain/repository_address.ts";

export interface Pin {
  /** Before git's command. */
  args: string[];
  /** Of ssh. */
  sshOptions: string[];
}
const NONE: Pin = { args: [], sshOptions: [] };

/** @param check the addresses of the URL's host; none for a folder */
export async function pinRemote(
  url: string,
  { kind, host }: RepositoryAddress,
  check: (url: string) => Promise<readonly string[]>,
): Promise<Pin> {
  if (kind === "file") return NONE;
  const addresses = (await checkFor(url, check)).filter((one) => /^[0-9a-fA-F:.]+$/.test(one));
  const { hostname, port } = url.includes("://") ? new URL(url) : { hostname: host, port: "" };
  const isAddress = hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
  if (addresses.length === 0 || isAddress) return NONE;
  if (kind === "https") {
    const all = addresses.map((one) => (one.includes(":") ? `[${one}]` : one)).join(",");
    return { ...NONE, args: ["-c", `http.curloptResolve=${hostname}:${port || 443}:${all}`] };
  }
  const known = port && port !== "22" ? `[${hostname}]:${port}` : hostname;
  return { ...NONE, sshOptions: [`HostName=${addresses[0]}`, `HostKeyAlias=${known}`] };
}

async function checkFor(url: string, check: (url: string) => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await check(url);
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    throw new GitError(error.code === "outgoing.unknown_host" ? "unavailable" : "refused", error.message);
  }
}
