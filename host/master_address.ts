/** Where the master is and what of it is believed: one place for the socket, enrolment and downloads. */
import { certificateFingerprint, firstCertificate } from "./certificate_authority.ts";
import { requestOnce } from "./http_request.ts";
import type { MasterAddress } from "./master_socket.ts";

export type { MasterAddress };

export interface MasterAddressOptions {
  /** BOREAS_URL */
  url: string;
  /** BOREAS_CA_FINGERPRINT: SHA-256 of the CA certificate's DER, in hex; colons are fine. */
  caFingerprint?: string;
  /** HTTPS_PROXY and NO_PROXY */
  httpsProxy?: string;
  noProxy?: string;
}

/**
 * The pinned CA is fetched from the master itself: over a connection that proves nothing, which is why its certificate
 * counts only when its digest is the one that came with the enrolment line.
 * @throws Error with a sentence that says what to set
 */
export async function resolveMaster(options: MasterAddressOptions): Promise<MasterAddress> {
  if (!URL.canParse(options.url)) throw new Error(`BOREAS_URL is no address: ${options.url}`);
  const url = new URL(options.url);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new Error(`BOREAS_URL must begin with https:// (${options.url})`);
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new Error(
      `BOREAS_URL must be https:// beyond this machine: over plain http anyone on the way reads and rules.`,
    );
  }
  const proxy = url.protocol === "https:" && options.httpsProxy && !isExempt(url.hostname, options.noProxy ?? "")
    ? new URL(options.httpsProxy)
    : undefined;
  const address: MasterAddress = { url, ca: undefined, proxy };
  if (options.caFingerprint && url.protocol === "https:") {
    address.ca = await fetchPinnedAuthority(address, options.caFingerprint);
  }
  return address;
}

async function fetchPinnedAuthority(address: MasterAddress, fingerprint: string): Promise<string> {
  const answer = await requestOnce(address, { path: "/api/v1/ca.pem", verify: false });
  if (answer.status !== 200) throw new Error(`${address.url.origin} shows no CA of its own (HTTP ${answer.status}).`);
  const plain = (text: string) => text.replace(/^sha-?256[:/ ]/i, "").replaceAll(":", "").toLowerCase();
  if (plain(await certificateFingerprint(answer.text)) !== plain(fingerprint)) {
    throw new Error(
      `The CA of ${address.url.origin} is not the one in BOREAS_CA_FINGERPRINT. Either someone stands between, or the ` +
        `master has a new CA: copy the enrolment line from its dashboard again.`,
    );
  }
  // Whoever stands between could have put another one behind it, and every certificate of the text would be trusted.
  return firstCertificate(answer.text);
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);

/** NO_PROXY as curl reads it: names, domains with or without a leading dot, `*`. */
function isExempt(host: string, noProxy: string): boolean {
  if (isLoopback(host)) return true;
  return noProxy.split(",").map((name) => name.trim().toLowerCase()).filter(Boolean).some((name) =>
    name === "*" || host === name.replace(/^\./, "") || host.endsWith(`.${name.replace(/^\./, "")}`)
  );
}
