/**
 * HTTP to the very address that was checked. A name that is looked up once more when the connection is made may lead
 * elsewhere by then (DNS rebinding), so the connection is told where to go; the name is still what TLS verifies and
 * what the Host header says.
 */
import type { OutgoingFetch } from "../domain/outgoing_check.ts";

/**
 * @param env where the proxy is named, if there is one: then it looks names up, in its own network, and what it may
 *   reach is its to say
 */
export function createPinnedFetch(env: (name: string) => string | undefined): OutgoingFetch {
  return async function pinnedFetch(url, { addresses = [], ...init }) {
    if (addresses.length === 0 || isProxied(new URL(url), env)) return await fetch(url, init);
    const { port, protocol } = new URL(url);
    const to = (address: string) => ({
      transport: "tcp" as const,
      hostname: address.includes(":") ? `[${address}]` : address,
      port: Number(port || (protocol === "https:" ? 443 : 80)),
    });
    for (const [index, address] of addresses.entries()) {
      // One connection for one call: kept connections would belong to an address of yesterday.
      const client = Deno.createHttpClient({ proxy: to(address), poolMaxIdlePerHost: 0 });
      try {
        return await fetch(url, { ...init, client } as RequestInit);
      } catch (error: unknown) {
        // Nobody there by this address: another of the checked ones may do. Otherwise it may have been heard.
        const isUnheard = String((error as Error)?.cause).includes("(Connect)");
        if (!isUnheard || index === addresses.length - 1) throw error;
      } finally {
        client.close(); // a response that is being read reads on
      }
    }
    throw new TypeError("unreachable");
  };
}

/** As fetch itself reads these variables. */
export function isProxied(url: URL, env: (name: string) => string | undefined): boolean {
  const named = url.protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  if (!named.some((name) => env(name))) return false;
  const except = (env("NO_PROXY") ?? env("no_proxy") ?? "").split(",").map((one) => one.trim().toLowerCase());
  const host = url.hostname.toLowerCase();
  return !except.some((one) => {
    const name = one.replace(/^\*?\./, "");
    return one === "*" || (name !== "" && (host === name || host.endsWith(`.${name}`)));
  });
}
