/**
 * Hands a credential to one git process: never in its arguments (every user of the machine can read those) and never in
 * the address (git repeats that in its words). https gets a header through the environment, ssh a key file that only we
 * can read and that is gone when the process has ended.
 */
import { GitError } from "../domain/git.ts";
import type { GitRemote } from "../domain/git.ts";
import type { RepositoryAddress } from "../domain/repository_address.ts";

export interface OpenedCredential {
  env: Record<string, string>;
  /** What must not stand in any sentence about this call. */
  secrets: string[];
  close(): Promise<void>;
}

interface SshOptions {
  cacheDir: string;
  sshPath: string;
  /** `Name=value` each. */
  sshOptions: readonly string[];
}

export async function openCredential(
  remote: GitRemote,
  address: RepositoryAddress,
  options: SshOptions,
): Promise<OpenedCredential> {
  if (address.kind === "ssh") return await openSsh(remote, options);
  const nothing = { env: {}, secrets: [], close: async () => {} };
  return address.kind === "https" && remote.credential !== null
    ? { ...nothing, ...openHttps(remote, remote.credential) }
    : nothing;
}

function openHttps(remote: GitRemote, credential: string) {
  if (isKey(credential)) {
    throw new GitError(
      "auth",
      "The credential is an ssh key, but the address is https; store user:password or a token.",
    );
  }
  const pair = credential.includes(":") ? credential : `${remote.tokenUser}:${credential}`;
  const encoded = btoa(String.fromCharCode(...new TextEncoder().encode(pair)));
  const password = pair.slice(pair.indexOf(":") + 1);
  return {
    // Bound to the host, so that it goes nowhere else.
    env: {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: `http.${new URL(remote.url).origin}/.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${encoded}`,
    },
    secrets: [credential, password, encoded],
  };
}

async function openSsh(remote: GitRemote, options: SshOptions): Promise<OpenedCredential> {
  const parts = [
    options.sshPath,
    "-F /dev/null",
    "-o BatchMode=yes",
    "-o ConnectTimeout=15",
    "-o ServerAliveInterval=15",
    "-o ForwardAgent=no",
    "-o ClearAllForwardings=yes",
    "-o PermitLocalCommand=no",
    "-o ProxyCommand=none",
    // The first key that a host shows is kept; another one later is refused.
    "-o StrictHostKeyChecking=accept-new",
    `-o UserKnownHostsFile=${quote(`${options.cacheDir}/known_hosts`)}`,
    "-o GlobalKnownHostsFile=/dev/null",
    "-o IdentitiesOnly=yes",
    "-o IdentityAgent=none",
    ...options.sshOptions.map((option) => `-o ${quote(option)}`),
  ];
  if (remote.credential === null) {
    return { env: { GIT_SSH_COMMAND: parts.join(" ") }, secrets: [], close: async () => {} };
  }
  if (!isKey(remote.credential)) {
    throw new GitError("auth", "The address is ssh, so the credential must be an OpenSSH private key.");
  }
  const folder = `${options.cacheDir}/keys`;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const file = `${folder}/${crypto.randomUUID()}`;
  await Deno.writeTextFile(file, remote.credential.replaceAll("\r\n", "\n").trimEnd() + "\n", {
    mode: 0o600,
    createNew: true,
  });
  return {
    env: { GIT_SSH_COMMAND: [...parts, `-i ${quote(file)}`].join(" ") },
    secrets: [remote.credential, file],
    close: () => Deno.remove(file),
  };
}

const isKey = (credential: string) => /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(credential);
/** GIT_SSH_COMMAND is read by a shell; the path is ours, but a space in it must not end it. */
const quote = (path: string) => `'${path.replaceAll("'", `'\\''`)}'`;
