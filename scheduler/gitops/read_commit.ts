/** What one commit says, checked: its applications, and the Plan that holds for it. */
import { findOwners } from "../../db/applications/find_owners.ts";
import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import type { TreeEntry } from "../../domain/git.ts";
import type { ConfigProblem, PlanDocument } from "../../protocol/config_file.ts";
import { checkConfig } from "./check_config.ts";
import type { GitopsDeps } from "./deps.ts";
import { readConfig } from "./read_config.ts";
import type { Placed, ReadConfig } from "./read_config.ts";
import type { Source } from "./read_source.ts";

export interface ReadCommit {
  files: TreeEntry[];
  config: ReadConfig;
  plan: PlanDocument | null;
  /** When there are any, nothing else is to be believed. */
  problems: ConfigProblem[];
}

/** @param toStrangers what is wrong is told to people who may know nothing of other repositories */
export async function readCommit(
  deps: GitopsDeps,
  repository: RepositoryRow,
  source: Source,
  { toStrangers = false } = {},
): Promise<ReadCommit> {
  const { git } = deps;
  const files = await git.listFiles(repository.id, source.commit);
  const config = await readConfig(git, repository.id, files, repository.configPaths);
  const plans = await readPlans(deps, repository, source, config);
  const problems = [...config.problems, ...plans.problems];
  if (config.applications.length === 0 && problems.length === 0) {
    const message = "declares no application; add a document of kind Application";
    problems.push({ file: repository.configPaths[0]!, line: 1, path: "", message });
  }
  if (problems.length === 0) {
    problems.push(...await checkNames(deps, repository, config, plans.plans, toStrangers));
  }
  return { files, config, plan: plans.plans[0]?.document ?? null, problems };
}

/** The Plan is believed on the default branch alone: another branch cannot give itself other triggers. */
async function readPlans(
  { git }: GitopsDeps,
  repository: RepositoryRow,
  source: Source,
  here: ReadConfig,
): Promise<{ plans: Placed<PlanDocument>[]; problems: ConfigProblem[] }> {
  if (source.planCommit === source.commit) return { plans: here.plans, problems: [] };
  if (source.planCommit === undefined) return { plans: [], problems: [] };
  const files = await git.listFiles(repository.id, source.planCommit);
  const { plans, problems } = await readConfig(git, repository.id, files, repository.configPaths);
  // A default branch without the file has no Plan; one with a broken file must not pass for one without triggers.
  const isMissing = !problems.some((p) => files.some((f) => f.path === p.file));
  const elsewhere = (p: ConfigProblem) => ({ ...p, message: `${p.message} (on branch ${repository.branch})` });
  return { plans, problems: isMissing ? [] : problems.map(elsewhere) };
}

async function checkNames(
  { db }: GitopsDeps,
  repository: RepositoryRow,
  { applications }: ReadConfig,
  plans: readonly Placed<PlanDocument>[],
  toStrangers: boolean,
): Promise<ConfigProblem[]> {
  const mentioned = [
    ...applications.flatMap(({ document }) => [document.name, ...document.needs ?? []]),
    ...plans.flatMap(({ document }) => document.mustInOrder ?? []),
  ];
  const owners = await findOwners(db, repository.projectId, [...new Set(mentioned)]);
  const foreign = owners.flatMap((owner): [string, string][] => {
    const isOurs = owner.repositoryId === repository.id ||
      (owner.repositoryId === null && (owner.repository === null || owner.repository === repository.url));
    const theirs = toStrangers ? null : owner.repository;
    return isOurs ? [] : [[owner.name, theirs ?? "another repository"]];
  });
  return checkConfig(applications, plans, {
    known: new Set(owners.flatMap((owner) => (owner.isArchived ? [] : [owner.name]))),
    foreign: new Map(foreign),
  });
}
