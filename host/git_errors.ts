/** What git's last words mean. Matched in order; git is run with LC_ALL=C, so the words do not change with the machine. */
import { GitError } from "../domain/git.ts";
import type { GitErrorKind } from "../domain/git.ts";

const TABLE: [RegExp, GitErrorKind, string][] = [
  [
    /transport '[^']*' not allowed|protocol '[^']*' not (allowed|supported)|remote helper/i,
    "refused",
    "this kind of address is not allowed",
  ],
  [/redirect/i, "refused", "the remote redirects to another address; register that one"],
  [
    /couldn't find remote ref|no such ref|invalid refspec|not our ref/i,
    "ref_missing",
    "the remote has no such branch or tag",
  ],
  [/host key verification failed/i, "auth", "the host key of the remote has changed"],
  [
    /authentication failed|could not read (username|password)|terminal prompts disabled|permission denied|invalid credentials|error: 40[13]|load key/i,
    "auth",
    "the remote does not accept the credential",
  ],
  [/dubious ownership/i, "failed", "the folder belongs to another user of this machine"],
  [
    /repository '[^']*' not found|does not appear to be a git repository|repository not found|error: 404|does not exist|no such file/i,
    "not_found",
    "there is no such repository, or this credential does not see it",
  ],
  [
    /could not resolve host|couldn't connect|failed to connect|connection (refused|reset|timed out|closed)|network is unreachable|no route to host|early eof|hung up|error: 5\d\d|timed out|operation too slow|ssl|gnutls|rpc failed/i,
    "unavailable",
    "the remote could not be reached",
  ],
  [/no space left/i, "failed", "the disk is full"],
];
const MAX_DETAIL = 500;

/** @param secrets whatever must not stand in the sentence */
export function explainGit(stderr: string, secrets: readonly string[]): GitError {
  const text = redactGit(stderr, secrets);
  const row = TABLE.find(([words]) => words.test(text));
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "");
  const detail = (lines.find((line) => /^(fatal|error|ssh):|^remote: /i.test(line)) ?? lines.at(-1) ?? "no word of why")
    .replace(/^(fatal|error): /i, "").slice(0, MAX_DETAIL);
  return new GitError(row?.[1] ?? "failed", `Git failed: ${row ? `${row[2]} (${detail})` : detail}.`);
}

export function redactGit(text: string, secrets: readonly string[]): string {
  let clean = text.replace(/\/\/[^/\s@]+@/g, "//");
  for (const secret of secrets) if (secret.length >= 4) clean = clean.replaceAll(secret, "***");
  return clean;
}
