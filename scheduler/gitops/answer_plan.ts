/** The plan of a commit that no version stands for. Reads the mirror and the database; nothing is recorded or frozen. */
import { canonicalJson, documentHash } from "../../db/blobs/freeze_document.ts";
import { listRepositoryRows } from "../../db/repositories/read_repositories.ts";
import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import { previewCandidate } from "../../db/deployments/preview_deployment.ts";
import type { VersionRow } from "../../db/deployments/load_plan.ts";
import type { CandidateApplication } from "../../db/deployments/read_planned_apps.ts";
import { AppError } from "../../domain/app_error.ts";
import { detectChanges } from "../../domain/detect_changes.ts";
import { formatRef, isRefName, parseRef, versionName } from "../../domain/git_ref.ts";
import type { Ref } from "../../domain/git_ref.ts";
import { allArtifacts, sortArtifacts } from "../../protocol/config/artifacts.ts";
import { sayProblem } from "../../protocol/config_file.ts";
import type { ApplicationDocument } from "../../protocol/config_file.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { SourceAnswer, SourceInput } from "../../protocol/source_query.ts";
import { DeliveryError } from "./deps.ts";
import type { GitopsDeps } from "./deps.ts";
import { findBase } from "./prepare_version.ts";
import { readCommit } from "./read_commit.ts";
import type { ReadCommit } from "./read_commit.ts";
import { openRemote, readSource } from "./read_source.ts";
import type { Source } from "./read_source.ts";

export async function answerPlan(
  deps: GitopsDeps,
  projectId: string,
  repositoryId: string,
  input: SourceInput<"plan">,
): Promise<SourceAnswer<"plan">> {
  const [repository] = await listRepositoryRows(deps.db, projectId, repositoryId);
  if (!repository) throw new AppError("not_found", "repository.unknown", "There is no such repository.");
  const source = await findSource(deps, repository, input);
  const read = await readCommit(deps, repository, source);
  if (read.problems.length > 0) {
    const lines = read.problems.slice(0, 20).map(sayProblem);
    throw new AppError("invalid", "config.invalid", `The commit's configuration has mistakes. ${lines.join("; ")}.`);
  }
  const candidate = await makeCandidate(deps, repository, source, read);
  const preview = await previewCandidate(deps, { projectId, environmentId: input.environmentId, candidate });
  return { commit: source.commit, version: candidate.version.version, preview };
}

async function findSource(deps: GitopsDeps, repository: RepositoryRow, input: SourceInput<"plan">): Promise<Source> {
  const remote = await openRemote(deps.vault, repository);
  const ref = input.ref === null ? undefined : await findRef(deps, repository, input.ref);
  const commit = input.commit === null ? null : await deps.git.resolve(repository.id, input.commit) ?? input.commit;
  if (commit !== null && commit.length < 40) {
    throw new AppError(
      "not_found",
      "commit.unknown",
      `No commit that was fetched begins with ${commit}; write all of it.`,
    );
  }
  const wanted = ref ?? await refOf(deps, repository, commit!);
  try {
    return await readSource(deps.git, remote, repository, { ref: wanted, commit });
  } catch (error: unknown) {
    if (!(error instanceof DeliveryError)) throw error;
    throw new AppError("not_found", "commit.unknown", error.message);
  }
}

/** A branch or a tag by its bare name: whichever the remote has, the branch first. */
async function findRef(deps: GitopsDeps, repository: RepositoryRow, text: string): Promise<string> {
  if (parseRef(text)) return text;
  if (!isRefName(text)) {
    throw new AppError("invalid", "ref.invalid", `"${text}" is not the name of a branch or a tag.`);
  }
  const refs = await deps.git.lsRemote(await openRemote(deps.vault, repository));
  const found = (["branch", "tag"] as const).map((kind) => formatRef({ kind, name: text })).find((ref) =>
    refs.has(ref)
  );
  if (found) return found;
  throw new AppError("not_found", "ref.unknown", `${repository.url} has neither a branch nor a tag ${text}.`);
}

/** The ref that stands at the commit, else the default branch, which may contain it. */
async function refOf(deps: GitopsDeps, repository: RepositoryRow, commit: string): Promise<string> {
  const refs = await deps.git.lsRemote(await openRemote(deps.vault, repository));
  const tip = [...refs].find(([ref, at]) => at === commit && parseRef(ref));
  return tip?.[0] ?? `refs/heads/${repository.branch}`;
}

/** What recording the commit would make of it, with nothing looked up or frozen: artifacts stand for themselves by name. */
export async function makeCandidate(
  deps: GitopsDeps,
  repository: RepositoryRow,
  source: Source & { ref: Ref },
  { config, plan }: ReadCommit,
): Promise<{ version: VersionRow; applications: CandidateApplication[] }> {
  const name = versionName(source.ref, source.commit);
  const base = await findBase(deps, repository.id, source.commit, null);
  const before = new Map([...base?.apps ?? []].map(([app, past]) => [app, past.documentSha256]));
  const comparable = config.applications.map(({ document }) => ({
    name: document.name,
    document: documentHash(document),
    source: document.source,
  }));
  const changed = detectChanges(comparable, base?.files, before);
  return {
    version: {
      id: deps.db.newId(),
      version: name,
      gitTag: source.ref.kind === "tag" ? source.ref.name : null,
      seenRef: formatRef(source.ref),
      gitCommit: source.commit,
      repository: repository.url,
      repositoryId: repository.id,
      status: "normal",
      builds: "ready",
      buildsReason: { text: "" },
      appBuilds: {},
      plan: (plan ?? {}) as VersionRow["plan"],
    },
    applications: config.applications.map(({ document }) => ({
      id: deps.db.newId(),
      name: document.name,
      changed: changed.has(document.name) || !before.has(document.name),
      document: canonicalJson(document),
      artifacts: artifactsOf(document, name, source.commit),
      bundle: null,
    })),
  };
}

const LATER = "(of this commit)";
function artifactsOf(document: ApplicationDocument, version: string, commit: string): Record<string, PinnedArtifact> {
  const sorted = sortArtifacts(allArtifacts(document), { application: document.name, version, commit });
  const artifacts: Record<string, PinnedArtifact> = { ...sorted.pinned };
  for (const { name } of sorted.local) artifacts[name] = { kind: "blob", sha256: LATER, size: 0 };
  for (const late of sorted.late) {
    artifacts[late.name] = late.kind === "image"
      ? { kind: "image", ref: late.ref, digest: `(of ${late.tag})` }
      : { kind: "url", url: late.url, sha256: late.sha256 ?? LATER };
  }
  return artifacts;
}
