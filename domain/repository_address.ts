/** Addresses of Git remotes: which are accepted, and when two of them mean the same repository. */
export interface RepositoryAddress {
  kind: "https" | "ssh" | "file";
  /** Empty for a file. */
  host: string;
  path: string;
}
export type ParsedAddress = { address: RepositoryAddress } | { problem: string };

const HOST = /^(?!-)[A-Za-z0-9.-]+$|^\[[0-9a-fA-F:.]+\]$/;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x20\x7f\\]/;
const ACCEPTED = "use https://host/path, ssh://user@host/path or user@host:path";

export function parseRepositoryAddress(text: string, options: { allowFile: boolean }): ParsedAddress {
  if (text.startsWith("-")) return { problem: `must not begin with a dash; ${ACCEPTED}` };
  if (CONTROL.test(text)) return { problem: "must not hold spaces, backslashes or control characters" };
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (text.includes("::")) {
    // `ext::sh -c ...` and friends run commands; an IPv6 host is the only other place for two colons.
    if (!scheme || !/^[a-z]+:\/\/([^/@]*@)?\[/i.test(text)) {
      return { problem: `is not an accepted address; ${ACCEPTED}` };
    }
  }
  if (scheme === "file" || text.startsWith("/")) return parseFile(text, options.allowFile);
  if (scheme === undefined) return parseScpLike(text);
  if (scheme !== "https" && scheme !== "ssh") {
    return { problem: `uses ${scheme}://, which is not accepted; ${ACCEPTED}` };
  }
  return parseUrl(scheme, text);
}

function parseFile(text: string, allowed: boolean): ParsedAddress {
  if (!allowed) {
    return { problem: `is a local folder; set BOREAS_ALLOW_FILE_REPOSITORIES=1 to accept those, or ${ACCEPTED}` };
  }
  const path = text.replace(/^file:\/\//i, "");
  if (!path.startsWith("/") || path.split("/").includes("..")) {
    return { problem: "must be an absolute path without .." };
  }
  return { address: { kind: "file", host: "", path } };
}

/** `git@host:team/project.git` */
function parseScpLike(text: string): ParsedAddress {
  const match = /^(?:([A-Za-z0-9._][A-Za-z0-9._-]*)@)?([^:/@]+):(?!\/\/)(.+)$/.exec(text);
  if (!match || !HOST.test(match[2]!) || match[3]!.startsWith("-")) {
    return { problem: `is not an accepted address; ${ACCEPTED}` };
  }
  return { address: { kind: "ssh", host: match[2]!.toLowerCase(), path: match[3]! } };
}

function parseUrl(scheme: "https" | "ssh", text: string): ParsedAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error: unknown) {
    if (error instanceof TypeError) return { problem: `is not an accepted address; ${ACCEPTED}` };
    throw error;
  }
  if (url.password !== "" || (scheme === "https" && url.username !== "")) {
    return { problem: "must not hold a user or password; put them into `credential`, which is kept sealed" };
  }
  if (scheme === "ssh" && decodeURIComponent(url.username).startsWith("-")) {
    return { problem: "has a user that begins with a dash" };
  }
  // `https:///host/x` is read as host `host` by browsers and as no host by others: only what every reader agrees on.
  if (!/^[a-z]+:\/\/[^/]/i.test(text) || !HOST.test(url.hostname)) return { problem: "has no host name" };
  if (url.search !== "" || url.hash !== "") return { problem: "must not hold a query or a fragment" };
  if (url.pathname.length < 2 || /^\/+-/.test(url.pathname)) return { problem: "has no path to a repository" };
  return { address: { kind: scheme, host: url.host.toLowerCase(), path: url.pathname } };
}

/** Equal for addresses of one repository, however it is reached: host without port, path without `.git` and slashes. */
export function repositoryKey(text: string): string | undefined {
  const parsed = parseRepositoryAddress(text.replace(/^(https?:\/\/)[^/@]*@/i, "$1").replace(/^http:/i, "https:"), {
    allowFile: true,
  });
  if (!("address" in parsed)) return undefined;
  const { kind, host, path } = parsed.address;
  const bare = path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "").toLowerCase();
  return kind === "file" ? `file:${bare}` : `${host.replace(/:\d+$/, "")}/${bare}`;
}
