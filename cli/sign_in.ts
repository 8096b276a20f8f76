/** The kept sign-in: which server, and as whom. One file of the person's own, never world-readable. */
import { CliError, type CliHost } from "./host.ts";

export interface SignIn {
  url: string;
  /** A `bor_` token, or the access token of a session. */
  token: string;
  /** Of a session: renews the access token when it ends. */
  refreshToken?: string;
}

const DEFAULT_URL = "http://localhost:8080";

export async function readKeptSignIn(host: CliHost): Promise<Partial<SignIn>> {
  const text = await host.readFile(host.configPath);
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Partial<SignIn>;
  } catch (error: unknown) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(`${host.configPath} cannot be read (${why}). Run \`boreas login\` to write it anew.`);
  }
}

/** The environment stands above the file, so that a script needs no sign-in of its own. */
export async function findSignIn(host: CliHost): Promise<SignIn> {
  const kept = await readKeptSignIn(host);
  const url = cleanUrl(host.env.BOREAS_URL ?? kept.url ?? DEFAULT_URL);
  if (host.env.BOREAS_TOKEN) return { url, token: host.env.BOREAS_TOKEN };
  // A token is only for the server that gave it.
  if (kept.token && kept.url && cleanUrl(kept.url) === url) return { ...kept, url, token: kept.token };
  throw new CliError(`Not signed in to ${url}. Run \`boreas login ${url}\`, or set BOREAS_TOKEN.`);
}

export const keepSignIn = (host: CliHost, signIn: SignIn): Promise<void> =>
  host.writePrivateFile(host.configPath, `${JSON.stringify(signIn, null, 2)}\n`);

/** Which server it was stays known: the next sign-in may leave it out. */
export const forgetSignIn = (host: CliHost, url: string): Promise<void> =>
  host.writePrivateFile(host.configPath, `${JSON.stringify({ url }, null, 2)}\n`);

export function cleanUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(/^[a-z]+:\/\//.test(text) ? text : `http://${text}`);
  } catch (error: unknown) {
    if (!(error instanceof TypeError)) throw error;
    throw new CliError(`"${text}" is not an address such as https://boreas.example.com.`, 2);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new CliError(`"${text}" is not an http or https address.`, 2);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}
