/**
 * Whether the master may call an address that somebody's text named: a repository, a registry, an artifact. Otherwise a
 * line in a file could make it talk to its own machine, to the metadata service of its cloud, or to the company's network.
 */
import { AppError } from "./app_error.ts";
import { classifyAddress, isInNetwork, parseAddress } from "./outgoing_address.ts";
import type { AddressKind, Network } from "./outgoing_address.ts";

export interface OutgoingOptions {
  /** Every address of a name; rejects when there is none. */
  resolve: (host: string) => Promise<string[]>;
  /** `BOREAS_ALLOW_NETWORKS`. */
  allow: readonly Network[];
  /** Hosts of registered repositories: registering one is an admin's word that it may be called. */
  isRegistered?: (host: string) => Promise<boolean>;
}
/** Registering a repository is itself the permission for a private network, never for this machine or its link. */
export type OutgoingPurpose = "repository" | "other";
/**
 * @returns the addresses that were checked: whoever calls connects to one of these, and asks nobody for the name again
 * @throws AppError `outgoing.refused`, `outgoing.unknown_host`, `outgoing.host`
 */
export type CheckOutgoing = (url: string, purpose?: OutgoingPurpose) => Promise<readonly string[]>;
/** fetch that connects to one of these addresses, whatever the name has become since they were checked. */
export type OutgoingFetch = (
  url: string,
  init: RequestInit & { addresses?: readonly string[] },
) => Promise<Response>;

const SAID: Record<Exclude<AddressKind, "public">, string> = {
  loopback: "this machine itself",
  private: "a private network",
  "link-local": "a link-local address, where clouds keep their metadata",
  unspecified: "no real address",
  multicast: "a multicast address",
  reserved: "a reserved address",
};

export function createOutgoingCheck(options: OutgoingOptions): CheckOutgoing {
  return async function checkOutgoing(url, purpose = "other") {
    const host = hostOf(url);
    if (host === undefined) return []; // a folder: other rules decide over those
    const addresses = await addressesOf(host, options.resolve);
    for (const text of addresses) {
      const address = parseAddress(text);
      const kind = address === undefined ? "reserved" : classifyAddress(address);
      if (kind === "public" || (address && options.allow.some((network) => isInNetwork(address, network)))) continue;
      if (kind === "private" && (purpose === "repository" || await options.isRegistered?.(host))) continue;
      throw new AppError(
        "invalid",
        "outgoing.refused",
        `${host} is ${
          SAID[kind]
        } (${text}), which Boreas does not call; if it should, add it to BOREAS_ALLOW_NETWORKS.`,
      );
    }
    return addresses;
  };
}

/**
 * Of https://, ssh:// and user@host:path; undefined for a local path. A backslash is a slash to some readers and a letter
 * to others (`https://127.0.0.1\\@example.com`), so what holds one has no host that all of them agree on.
 */
export function hostOf(url: string): string | undefined {
  if (url.includes("\\")) return "";
  const scheme = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)/i.exec(url);
  if (scheme) return /^file:/i.test(url) ? undefined : scheme[1]!.toLowerCase();
  return /^(?:[^/@:]+@)?([^/:@]+):/.exec(url)?.[1]?.toLowerCase();
}

async function addressesOf(host: string, resolve: (host: string) => Promise<string[]>): Promise<string[]> {
  if (parseAddress(host)) return [host.replace(/^\[|\]$/g, "")];
  if (host === "localhost" || host.endsWith(".localhost")) return ["127.0.0.1"];
  // 2130706433, 0x7f.1, 127.1: names to us, addresses to many a resolver.
  if (host === "" || /^(0x[0-9a-f]*|\d+)$/i.test(host.replace(/\.$/, "").split(".").at(-1)!)) {
    throw new AppError(
      "invalid",
      "outgoing.host",
      `"${host}" is not a host name; write the name, or a full IP address.`,
    );
  }
  let addresses: string[];
  try {
    addresses = await resolve(host);
  } catch (error: unknown) {
    throw new AppError(
      "invalid",
      "outgoing.unknown_host",
      `The host ${host} cannot be found; check its name.`,
      [],
      error,
    );
  }
  if (addresses.length === 0) {
    throw new AppError("invalid", "outgoing.unknown_host", `The host ${host} cannot be found; check its name.`);
  }
  return addresses;
}
