import { openCredential } from "../../db/repositories/repository_row.ts";
import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import type { ClaimedDelivery } from "../../db/repositories/claim_delivery.ts";
import type { Vault } from "../../db/secrets/vault.ts";
import { GitError } from "../../domain/git.ts";
import type { CommitInfo, Git, GitRemote } from "../../domain/git.ts";
import { parseRef } from "../../domain/git_ref.ts";
import type { Ref } from "../../domain/git_ref.ts";
import type { Provider } from "../../protocol/http_api.ts";
import { DeliveryError } from "./deps.ts";

/** Who a bare token belongs to, as each provider wants to hear it. */
const TOKEN_USERS: Record<Provider, string> = {
  github: "x-access-token",
  gitlab: "oauth2",
  gitea: "oauth2",
  forgejo: "oauth2",
  bitbucket: "x-token-auth",
  generic: "token",
};

export async function openRemote(vault: Vault, repository: RepositoryRow): Promise<GitRemote> {
  return {
    repositoryId: repository.id,
    url: repository.url,
    credential: await openCredential(vault, repository),
    tokenUser: TOKEN_USERS[repository.provider],
  };
}

export interface Source {
  ref: Ref;
  commit: string;
  info: CommitInfo;
  /** Tip of the default branch, where the Plan is read; undefined when the remote has no such branch. */
  planCommit: string | undefined;
  isDefaultBranch: boolean;
}

/**
 * Brings the delivery's commit into the mirror. What was pushed over, moved or deleted meanwhile is ignored with a
 * sentence: an old hook, sent again, never brings back a commit that its branch no longer has.
 */
export async function readSource(
  git: Git,
  remote: GitRemote,
  repository: RepositoryRow,
  delivery: Pick<ClaimedDelivery, "ref" | "commit">,
): Promise<Source> {
  const ref = parseRef(delivery.ref);
  if (!ref) throw new DeliveryError("ignored", "The delivery names neither a branch nor a tag.");
  const defaultRef = `refs/heads/${repository.branch}`;
  const isDefaultBranch = delivery.ref === defaultRef;
  if (!(isDefaultBranch && await isKnown(git, repository.id, delivery))) {
    await fetchRef(git, remote, delivery.ref, ref);
    if (!isDefaultBranch) await fetchOptional(git, remote, defaultRef);
  }
  const tip = await git.resolve(repository.id, delivery.ref);
  if (tip === undefined) throw new DeliveryError("failed", `${ref.kind} ${ref.name} does not lead to a commit.`);
  const commit = await choose(git, repository.id, ref, delivery.commit, tip);
  return {
    ref,
    commit,
    info: await git.commitInfo(repository.id, commit),
    planCommit: await git.resolve(repository.id, defaultRef),
    isDefaultBranch,
  };
}

/** The mirror's branch has it already: of a burst of pushes, the first fetch brings them all. */
async function isKnown(
  git: Git,
  id: string,
  { ref, commit }: Pick<ClaimedDelivery, "ref" | "commit">,
): Promise<boolean> {
  if (commit === null || await git.resolve(id, ref) === undefined) return false;
  return await git.isAncestor(id, commit, ref);
}

async function fetchRef(git: Git, remote: GitRemote, name: string, ref: Ref): Promise<void> {
  try {
    await git.fetch(remote, [name]);
  } catch (error: unknown) {
    if (!(error instanceof GitError) || error.kind !== "ref_missing") throw error;
    throw new DeliveryError("ignored", `The remote no longer has the ${ref.kind} ${ref.name}.`);
  }
}

async function fetchOptional(git: Git, remote: GitRemote, name: string): Promise<void> {
  try {
    await git.fetch(remote, [name]);
  } catch (error: unknown) {
    if (!(error instanceof GitError) || error.kind !== "ref_missing") throw error;
  }
}

async function choose(git: Git, id: string, ref: Ref, asked: string | null, tip: string): Promise<string> {
  if (asked === null) return tip;
  const commit = await git.resolve(id, asked); // of an annotated tag's own object: the commit it stands for
  const short = asked.slice(0, 12);
  if (ref.kind === "tag") {
    if (commit === tip) return tip;
    throw new DeliveryError("ignored", `Tag ${ref.name} no longer stands at ${short}.`);
  }
  if (commit !== undefined && await git.isAncestor(id, commit, tip)) return commit;
  throw new DeliveryError("ignored", `Branch ${ref.name} no longer has the commit ${short}; it was pushed over.`);
}
