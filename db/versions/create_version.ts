/**
 * `POST /versions`: CI or a person says what a version is made of.
 *
 *   a new name                 -> recorded (201)
 *   one that is there          -> missing builds are added (200), until a deployment of it has started
 *   the name at another commit -> conflict
 */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { repositoryKey } from "../../domain/repository_address.ts";
import { allArtifacts, sortArtifacts } from "../../protocol/config/artifacts.ts";
import type { ApplicationConfig } from "../../protocol/config_file.ts";
import type { AppBuild } from "../../protocol/http_api.ts";
import { canonicalJson, freezeDocument } from "../blobs/freeze_document.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";
import { addBuilds } from "./add_builds.ts";
import { rollUpBuilds } from "./roll_up_builds.ts";
import { writeVersionApp } from "./write_version_app.ts";

export interface NewVersion {
  version: string;
  gitTag: string | null;
  gitCommit: string | null;
  repository: string | null;
  description: string;
  appBuilds: Record<string, AppBuild>;
}
export interface CreatedVersion {
  id: string;
  created: boolean;
}
interface Existing {
  id: string;
  gitCommit: string | null;
  lockedAt: string | null;
  appBuilds: Record<string, AppBuild>;
}

export async function createVersion(
  { db, hints }: { db: Database; hints: Hints },
  input: NewVersion,
  actor: Actor,
): Promise<CreatedVersion> {
  const done = await inTransaction(db, async (tx) => {
    const repository = await findRepository(tx, actor.projectId, input.repository);
    const [made] = await tx<{ id: string }[]>`
      insert into version (id, project_id, repository_id, repository, version, git_tag, git_commit, description, status,
        reason, builds, builds_reason, app_builds, created_by)
      values (${db.newId()}, ${actor.projectId}, ${repository.id}, ${repository.url}, ${input.version}, ${input.gitTag},
        ${input.gitCommit}, ${input.description}, 'normal',
        ${tx.json(reason("version.normal", { ref: input.gitTag ?? input.gitCommit ?? actor.name }) as never)}, 'ready',
        ${tx.json(reason("version.builds_ready") as never)}, ${tx.json(input.appBuilds as never)}, ${actor.name})
      on conflict (project_id, repository, version) do nothing returning id`;
    const id = made ? await fillIn(tx, made.id, input, actor) : await extend(tx, repository.url, input, actor);
    await rollUpBuilds(tx, id, "now");
    await recordEvents(tx, [{
      topic: "version",
      projectId: actor.projectId,
      subjectId: id,
      kind: made ? "version.recorded" : "version.builds_added",
      data: { name: input.version },
    }]);
    const applications = Object.keys(input.appBuilds);
    await recordAudit(db, tx, actor, made ? "version.create" : "version.add_builds", `version:${id}`, { applications });
    return { id, created: made !== undefined };
  });
  hints.announce("events");
  hints.announce("builds");
  return done;
}

/** However it is written, an address of a registered repository means that repository. */
async function findRepository(
  tx: Tx,
  projectId: string,
  url: string | null,
): Promise<{ id: string | null; url: string }> {
  if (url === null) return { id: null, url: "" };
  const key = repositoryKey(url);
  const rows = await tx<{ id: string; url: string }[]>`select id, url from repository where project_id = ${projectId}`;
  return rows.find((row) => row.url === url || (key !== undefined && repositoryKey(row.url) === key)) ??
    { id: null, url };
}

async function fillIn(tx: Tx, versionId: string, input: NewVersion, actor: Actor): Promise<string> {
  for (const [name, build] of Object.entries(input.appBuilds)) {
    await writeFromConfig(tx, versionId, name, build, input, actor);
  }
  return versionId;
}

/** An application of which no commit spoke: what it is stands in its REST config. */
async function writeFromConfig(
  tx: Tx,
  versionId: string,
  name: string,
  build: AppBuild,
  input: NewVersion,
  actor: Actor,
): Promise<void> {
  const [app] = await tx<{ id: string; config: ApplicationConfig }[]>`
    select id, config from application
    where project_id = ${actor.projectId} and name = ${name} and archived_at is null`;
  if (!app) {
    const message = "is not an application; create it first, or push a boreas.yaml that declares it";
    throw new AppError("invalid", "version.unknown_application", `${name} ${message}.`, [{
      path: `appBuilds.${name}`,
      message,
    }]);
  }
  const document = { apiVersion: "boreas/v1", kind: "Application", name, ...app.config };
  const context = { application: name, version: input.version, commit: input.gitCommit, build };
  // Files of a repository come with the push of that commit; there is nothing to freeze here.
  const { pinned, late } = sortArtifacts(allArtifacts(document), context);
  await writeVersionApp(tx, {
    versionId,
    applicationId: app.id,
    projectId: actor.projectId,
    changed: build.changed,
    documentSha256: await freezeDocument(tx, document),
    pinned,
    bundle: null,
    late,
  });
}

async function extend(tx: Tx, repository: string, input: NewVersion, actor: Actor): Promise<string> {
  const [there] = await tx<Existing[]>`
    select id, git_commit, locked_at, app_builds from version
    where project_id = ${actor.projectId} and repository = ${repository} and version = ${input.version} for update`;
  if (!there) throw new AppError("unavailable", "version.gone", "The version was deleted just now; try again.");
  const [one, other] = [there.gitCommit ?? "", input.gitCommit ?? ""];
  if (one !== "" && other !== "" && !one.startsWith(other) && !other.startsWith(one)) {
    throw new AppError(
      "conflict",
      "version.other_commit",
      `Version ${input.version} is recorded at commit ${one.slice(0, 12)}; choose another name for ${
        other.slice(0, 12)
      }.`,
    );
  }
  const missing: Record<string, AppBuild> = {};
  for (const [name, build] of Object.entries(input.appBuilds)) {
    const before = there.appBuilds[name];
    if (before === undefined) missing[name] = build;
    else if (canonicalJson(before) !== canonicalJson(build)) {
      throw new AppError(
        "conflict",
        "version.other_build",
        `Version ${input.version} has another build of ${name} already; a version never changes, so choose another name.`,
      );
    }
  }
  if (Object.keys(missing).length > 0 && there.lockedAt !== null) {
    throw new AppError(
      "conflict",
      "version.locked",
      `A deployment of version ${input.version} has started, so nothing can be added to it; record another version.`,
    );
  }
  await tx`update version set app_builds = app_builds || ${tx.json(missing as never)},
      git_commit = coalesce(git_commit, ${input.gitCommit}), updated_at = boreas_now() where id = ${there.id}`;
  const unknown = await addBuilds(tx, {
    versionId: there.id,
    version: input.version,
    commit: there.gitCommit ?? input.gitCommit,
  }, missing);
  for (const name of unknown) await writeFromConfig(tx, there.id, name, missing[name]!, input, actor);
  return there.id;
}
