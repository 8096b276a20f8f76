/** Where machines find this master, and how they know that it is this one. */
import { createHash } from "node:crypto";
import type { Context } from "hono";
import type { ApiDeps, ApiEnv } from "../deps.ts";

/** Run in the script's place: it is not to end well. */
const MISSED = 'echo "The script was not fetched. This takes curl or GNU wget, and a way to the master." >&2; exit 1';

const HOST = /^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:]+\](:\d{1,5})?$/;

/**
 * BOREAS_PUBLIC_URL; where that names only this machine itself, the host by which it was just reached. A proxy in front
 * changes the Host header, so what was set comes first.
 */
export function publicAddress({ publicUrl }: Pick<ApiDeps, "publicUrl">, c: Context<ApiEnv>): string {
  const url = new URL(publicUrl);
  const host = c.req.header("host");
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  return isHere && host && HOST.test(host) ? `${url.protocol}//${host}` : publicUrl;
}

/** SHA-256 of the certificate in DER form, lower-case hex; undefined where the authority is not our own. */
export function authorityFingerprint(pem: string | undefined): string | undefined {
  const [, base64] = pem?.match(/-----BEGIN CERTIFICATE-----([\s\S]+?)-----END CERTIFICATE-----/) ?? [];
  if (!base64) return undefined;
  return createHash("sha256").update(Uint8Array.from(atob(base64.replace(/\s/g, "")), (c) => c.charCodeAt(0)))
    .digest("hex");
}

/**
 * What a person pastes on the machine. Token and proxy go ahead of the script through its pipe: in the environment of
 * `sudo` they would have to be named, and what is named there is written to the machine's log. An authority of our own
 * is fetched without trust and compared, byte for byte, before anything is believed that it vouches for: curl would trust
 * every certificate of the file, also one that stands behind ours.
 *
 * Without curl it is GNU's wget, which reads a proxy in small letters only. Busybox's believes any certificate: it knows
 * none of the options here, and so fetches nothing. The functions stay behind in the person's shell, and an alias of
 * their name would be put in their place (`k` is `kubectl` to many): nothing else is called as they are.
 * @param authority PEM, as `/api/v1/ca.pem` shows it
 */
export function enrollmentLine(address: string, token: string, authority: string | undefined): string {
  const told = `BOREAS_TOKEN=${token} HTTPS_PROXY='\${HTTPS_PROXY:-$https_proxy}' NO_PROXY='\${NO_PROXY:-$no_proxy}'`;
  const wget =
    'https_proxy="${HTTPS_PROXY:-$https_proxy}" no_proxy="${NO_PROXY:-$no_proxy}" wget -qO- --max-redirect=0';
  const fetchers = (curl: string, gnu: string) => `if command -v curl >/dev/null; then ${curl}; else ${gnu}; fi`;
  const run = (fetch: string) =>
    `{ echo "${told}"; ${fetch} ${address}/api/v1/install.sh || echo '${MISSED}'; } | sudo sh`;
  if (!authority) {
    return `${fetchers('boreas_get() { curl -fsS "$@"; }', `boreas_get() { ${wget} "$@"; }`)}; ${run("boreas_get")}`;
  }
  const digest = createHash("sha256").update(authority).digest("hex");
  const trusting = fetchers(
    'boreas_ask() { curl -fsSk "$@"; }; boreas_get() { curl -fsS --cacert "$c" "$@"; }',
    `boreas_ask() { ${wget} --no-check-certificate "$@"; }; boreas_get() { ${wget} --ca-certificate="$c" "$@"; }`,
  );
  return `c=$(mktemp) && ${trusting} && boreas_ask ${address}/api/v1/ca.pem >"$c" && ` +
    `{ sha256sum <"$c" | grep -q ^${digest} || ` +
    `! echo "This is not the Boreas that made this line."; } && ${run("boreas_get")}`;
}
