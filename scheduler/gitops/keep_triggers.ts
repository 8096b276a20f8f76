import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import { readPlanCommit, syncTriggers } from "../../db/triggers/sync_triggers.ts";
import type { PlanDocument } from "../../protocol/config_file.ts";
import type { GitopsDeps } from "./deps.ts";
import type { Source } from "./read_source.ts";

/**
 * The rows of the file's triggers follow the Plan at the tip of the default branch. A mirror that is behind brings
 * nothing back: an older commit than the one they were taken from is passed over.
 */
export async function keepTriggers(
  deps: GitopsDeps,
  repository: Pick<RepositoryRow, "id" | "projectId">,
  { planCommit }: Pick<Source, "planCommit">,
  plan: PlanDocument | null,
): Promise<void> {
  if (planCommit === undefined) return;
  const taken = await readPlanCommit(deps.db, repository.id);
  if (taken === planCommit) return;
  if (taken !== undefined && await deps.git.isAncestor(repository.id, planCommit, taken)) return;
  const of = { repositoryId: repository.id, projectId: repository.projectId, commit: planCommit };
  await syncTriggers(deps, of, plan?.triggers ?? []);
}
