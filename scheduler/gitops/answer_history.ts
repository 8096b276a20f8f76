/** What a repository's mirror knows of a commit: who contains it, and what lies between two of them. */
import { listRepositoryRows } from "../../db/repositories/read_repositories.ts";
import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import { readCommits } from "../../db/versions/read_commits.ts";
import { AppError } from "../../domain/app_error.ts";
import { relate } from "../../domain/compare_versions.ts";
import { GitError } from "../../domain/git.ts";
import type { CommitInfo } from "../../domain/git.ts";
import type { SourceAnswer, SourceInput } from "../../protocol/source_query.ts";
import type { GitopsDeps } from "./deps.ts";
import { openRemote } from "./read_source.ts";

const COMMIT = /^[0-9a-f]{7,64}$/;

export async function answerContains(
  deps: GitopsDeps,
  projectId: string,
  { sha }: SourceInput<"contains">,
): Promise<SourceAnswer<"contains">> {
  const commits: CommitInfo[] = [];
  const versionIds: string[] = [];
  for (const repository of await listRepositoryRows(deps.db, projectId)) {
    const commit = await resolveCommit(deps, repository, sha);
    if (commit === undefined) continue;
    commits.push(await deps.git.commitInfo(repository.id, commit));
    const versions = await readCommits(deps.db, repository.id);
    const carriers = await deps.git.containing(repository.id, commit, versions.map((v) => v.gitCommit));
    versionIds.push(...versions.filter((v) => carriers.has(v.gitCommit)).map((v) => v.id));
  }
  if (commits.length === 0) {
    throw new AppError(
      "not_found",
      "commit.unknown",
      `No registered repository has a commit ${sha} that was fetched. Write more of it, or sync the repository that has it.`,
    );
  }
  return { commits, versionIds };
}

export async function answerCommits(
  deps: GitopsDeps,
  projectId: string,
  repositoryId: string,
  { base, commit, skip, limit }: SourceInput<"commits">,
): Promise<SourceAnswer<"commits">> {
  const repository = (await listRepositoryRows(deps.db, projectId, repositoryId))[0];
  if (!repository) throw new AppError("not_found", "repository.unknown", "There is no such repository.");
  const [from, to] = [await resolveCommit(deps, repository, base), await resolveCommit(deps, repository, commit)];
  if (from === undefined || to === undefined) {
    throw new AppError(
      "conflict",
      "commit.not_fetched",
      `The commit ${
        (from === undefined ? base : commit).slice(0, 12)
      } is not in ${repository.url} any more, so what lies between cannot be listed.`,
    );
  }
  return {
    commits: await deps.git.log(repositoryId, from, to, { skip, limit: limit + 1 }),
    relation: relate({
      candidateCommit: to,
      currentCommit: from,
      candidateContainsCurrent: await deps.git.isAncestor(repositoryId, from, to),
      currentContainsCandidate: await deps.git.isAncestor(repositoryId, to, from),
    }),
  };
}

/**
 * @returns undefined when the mirror has no such commit, or several that begin so
 */
async function resolveCommit(deps: GitopsDeps, repository: RepositoryRow, sha: string): Promise<string | undefined> {
  if (!COMMIT.test(sha)) return undefined;
  const branch = `refs/heads/${repository.branch}`;
  const look = async () => {
    const found = await deps.git.resolve(repository.id, sha);
    // A branch may be called like the beginning of a commit.
    return found?.startsWith(sha) ? found : undefined;
  };
  const found = await look();
  if (found !== undefined || await deps.git.resolve(repository.id, branch) !== undefined) return found;
  // The mirror of this master is lost, or another one has fetched so far.
  try {
    await deps.git.fetch(await openRemote(deps.vault, repository), [branch]);
  } catch (error: unknown) {
    if (!(error instanceof GitError)) throw error;
    deps.logger.log("WARN", "a repository could not be fetched for a question", { detail: error.message });
    return undefined;
  }
  return await look();
}
