/** Asks a container registry (OCI distribution API) which digest a tag has. */
import { parseImageRef, parseRegistryLogin, registrySecret } from "../../domain/image_ref.ts";
import { callOut, OutgoingError, readText } from "./outgoing_http.ts";
import type { GitopsDeps } from "./deps.ts";

type Deps = Pick<GitopsDeps, "fetch" | "checkOutgoing" | "clock">;

const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

/** Any manifest or index will do: what counts is its digest. */
const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** The value of a secret, `user:password`; undefined when there is none. */
export type ReadLogin = (secret: string) => Promise<string | undefined>;

/**
 * @returns the digest; undefined while the registry has no such tag
 * @throws OutgoingError: it is away, or does not let us in
 */
export async function findDigest(
  deps: Deps,
  ref: string,
  tag: string,
  readLogin: ReadLogin = () => Promise.resolve(undefined),
): Promise<string | undefined> {
  const address = parseImageRef(ref);
  if (!address || !/^[\w][\w.-]{0,127}$/.test(tag)) {
    throw new OutgoingError(`"${ref}:${tag}" is not the name of an image`);
  }
  // A registry on this machine is spoken to without TLS, as docker does.
  const scheme = LOCAL.test(address.registry) ? "http" : "https";
  const url = `${scheme}://${address.registry}/v2/${address.repository}/manifests/${tag}`;
  const ask = (headers: Record<string, string>) =>
    callOut(deps, url, { method: "HEAD", headers: { accept: ACCEPT, ...headers } }, async (response) => {
      await response.body?.cancel();
      return { status: response.status, headers: response.headers };
    });
  let answer = await ask({});
  const challenge = answer.headers.get("www-authenticate") ?? "";
  const secret = registrySecret(address);
  let basic: string | undefined;
  if (answer.status === 401) {
    basic = basicOf(secret, await readLogin(secret));
    if (/^bearer /i.test(challenge)) {
      answer = await ask({ authorization: `Bearer ${await fetchToken(deps, challenge, basic)}` });
    } else if (basic) answer = await ask({ authorization: basic });
  }
  if (answer.status === 404) return undefined;
  if (answer.status === 401 || answer.status === 403) {
    throw new OutgoingError(
      basic
        ? `the registry does not take the login in the secret ${secret}`
        : `the registry wants a login: set the secret ${secret} to user:password`,
    );
  }
  if (answer.status !== 200) throw new OutgoingError(`the registry answers ${answer.status}`);
  const digest = answer.headers.get("docker-content-digest");
  if (digest === null || !/^sha256:[0-9a-f]{64}$/.test(digest)) throw new OutgoingError("the registry tells no digest");
  return digest;
}

function basicOf(secret: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const login = parseRegistryLogin(text);
  if (!login) throw new OutgoingError(`the secret ${secret} is not of the form user:password`);
  const bytes = new TextEncoder().encode(`${login.username}:${login.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** A registry that wants a token names who gives it: to anybody, or to who has a login. */
async function fetchToken(deps: Deps, challenge: string, basic: string | undefined): Promise<string> {
  const fields = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!]),
  );
  if (!URL.canParse(fields.realm ?? "")) throw new OutgoingError("the registry names no place to get a token");
  const url = new URL(fields.realm!);
  if (basic && url.protocol !== "https:" && !LOCAL.test(url.host)) {
    throw new OutgoingError("the registry wants the login to be sent without TLS");
  }
  for (const key of ["service", "scope"]) if (fields[key] !== undefined) url.searchParams.set(key, fields[key]!);
  // The login goes to the place the registry names: that place is its own, or the registry is not to be trusted at all.
  const headers: Record<string, string> = basic ? { authorization: basic } : {};
  const body = await callOut(deps, url.href, { headers }, (response) => readText(response, 1024 * 1024));
  let parsed: { token?: unknown; access_token?: unknown };
  try {
    parsed = JSON.parse(body);
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OutgoingError("the registry's token service does not answer JSON");
  }
  const token = parsed?.token ?? parsed?.access_token;
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new OutgoingError("the registry's token service gives no token");
  }
  return token;
}
