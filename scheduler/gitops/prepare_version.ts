/** From a commit to everything that its version will hold: what changed, what is frozen, what is waited for. */
import { documentHash } from "../../db/blobs/freeze_document.ts";
import { readVersionApps, recentVersions } from "../../db/versions/read_history.ts";
import type { PastApp, PastVersion } from "../../db/versions/read_history.ts";
import type { RecordedApplication } from "../../db/versions/version_to_record.ts";
import { detectChanges } from "../../domain/detect_changes.ts";
import { allArtifacts, sortArtifacts } from "../../protocol/config/artifacts.ts";
import type { ApplicationDocument, ConfigProblem } from "../../protocol/config_file.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { GitopsDeps } from "./deps.ts";
import { freezeBundle, freezeLocal } from "./freeze_files.ts";
import type { FilesOf, FrozenFiles } from "./freeze_files.ts";
import type { Placed } from "./read_config.ts";

type Deps = Pick<GitopsDeps, "db" | "git">;

/** The newest recorded version that this commit contains, and what differs from it. */
export interface Base {
  version: PastVersion;
  apps: Map<string, PastApp>;
  files: string[];
}

export async function findBase(
  { db, git }: Deps,
  repositoryId: string,
  commit: string,
  except: string | null,
): Promise<Base | undefined> {
  for (const version of await recentVersions(db, repositoryId, except)) {
    if (!await git.isAncestor(repositoryId, version.gitCommit, commit)) continue;
    const apps = await readVersionApps(db, version.id);
    return {
      version,
      apps: new Map(apps.map((app) => [app.application, app])),
      files: await git.diffNames(repositoryId, version.gitCommit, commit),
    };
  }
  return undefined;
}

export async function prepareApplications(
  deps: Deps,
  of: FilesOf & { name: string; commit: string },
  placed: readonly Placed<ApplicationDocument>[],
  base: Base | undefined,
): Promise<{ applications: RecordedApplication[]; problems: ConfigProblem[] }> {
  const comparable = placed.map(({ document }) => ({
    name: document.name,
    document: documentHash(document),
    source: document.source,
  }));
  const before = new Map([...base?.apps ?? []].map(([name, app]) => [name, app.documentSha256]));
  const changed = detectChanges(comparable, base?.files, before);
  const problems: ConfigProblem[] = [];
  const applications: RecordedApplication[] = [];
  for (const { document, problem } of placed) {
    const past = base?.apps.get(document.name);
    applications.push(
      changed.has(document.name) || past === undefined
        ? await freezeChanged(deps, of, document, (path, message) => problems.push(problem(path, message)))
        : keepUnchanged(document, past, base!.version),
    );
  }
  return { applications, problems };
}

async function freezeChanged(
  { db, git }: Deps,
  of: FilesOf & { name: string; commit: string },
  document: ApplicationDocument,
  refuse: (path: (string | number)[], message: string) => void,
): Promise<RecordedApplication> {
  const context = { application: document.name, version: of.name, commit: of.commit };
  const { pinned, late, local } = sortArtifacts(allArtifacts(document), context);
  const take = (frozen: FrozenFiles, path: string[]) => {
    if ("blob" in frozen) return frozen.blob;
    refuse(path, frozen.problem);
    return null;
  };
  const blobs: Record<string, PinnedArtifact> = {};
  for (const { name, path } of local) {
    const blob = take(await freezeLocal(db, git, of, path), ["artifacts", name, "path"]);
    if (blob) blobs[name] = { kind: "blob", ...blob };
  }
  const globs = [document, ...Object.values(document.environments ?? {})].flatMap((layer) => layer.bundle ?? []);
  const bundle = globs.length === 0 ? null : take(await freezeBundle(db, git, of, [...new Set(globs)]), ["bundle"]);
  return { document, changed: true, bundle, pinned: { ...pinned, ...blobs }, late };
}

/** What did not change is what it was: the same bytes, also where they are still being built. */
function keepUnchanged(document: ApplicationDocument, past: PastApp, base: PastVersion): RecordedApplication {
  const context = { application: document.name, version: base.version, commit: base.gitCommit };
  const late = past.builds === "ready"
    ? []
    : sortArtifacts(allArtifacts(document), context).late.filter(({ name }) => past.artifacts[name] === undefined);
  return { document, changed: false, bundle: past.bundle, pinned: past.artifacts, late };
}
