/** A version as it was recorded, for those who place it without a push. */
import { findRepository } from "../../db/repositories/read_repositories.ts";
import { readRecorded } from "../../db/versions/read_recorded.ts";
import { GitError } from "../../domain/git.ts";
import { formatRef } from "../../domain/git_ref.ts";
import type { GitopsDeps } from "./deps.ts";
import type { VersionToPlace } from "./place_version.ts";
import { openRemote } from "./read_source.ts";

export async function loadVersion(
  deps: GitopsDeps,
  projectId: string,
  versionId: string,
): Promise<VersionToPlace & { reverted: string | null } | undefined> {
  const version = await readRecorded(deps.db, projectId, versionId);
  if (version) await bringCommit(deps, version);
  return version;
}

/** This master may never have worked on a delivery of it: its mirror gets what comparing needs. */
async function bringCommit(deps: GitopsDeps, { repositoryId: id, commit, ref }: VersionToPlace): Promise<void> {
  if (id === null || commit === null || await deps.git.resolve(id, commit) !== undefined) return;
  const repository = await findRepository(deps.db, id);
  if (!repository) return;
  try {
    const from = ref ?? { kind: "branch" as const, name: repository.branch };
    await deps.git.fetch(await openRemote(deps.vault, repository), [formatRef(from)]);
  } catch (error: unknown) {
    // A branch that is gone, or a remote that is away: what cannot be compared counts as diverged, and says so.
    if (!(error instanceof GitError)) throw error;
    deps.logger.log("WARN", "a version's commit could not be fetched", { repositoryId: id, error: error.message });
  }
}
