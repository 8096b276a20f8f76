import { AppError } from "../../domain/app_error.ts";
import type { ApplicationDocument } from "../../protocol/config_file.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { VersionToRecord } from "./version_to_record.ts";

/** What REST calls the config of an application: its document without what has a place of its own. */
function configOf(document: ApplicationDocument): Record<string, unknown> {
  const { apiVersion: _a, kind: _k, name: _n, description: _d, type: _t, environments: _e, ...config } = document;
  return config;
}

/**
 * Makes the applications that a commit declares known, and binds them to the environments that their overlays name.
 * @returns ids by name
 * @throws AppError conflict when another repository declared one of them meanwhile
 */
export async function declareApplications(
  db: Database,
  tx: Tx,
  input: Pick<VersionToRecord, "repository" | "applications" | "isDefaultBranch" | "createdBy">,
): Promise<Map<string, string>> {
  const { repository } = input;
  const ids = new Map<string, string>();
  for (const { document } of input.applications) {
    const config = tx.json(configOf(document) as never);
    const [made] = await tx<{ id: string }[]>`
      insert into application (id, project_id, name, description, repository_id, repository, type, config, declared,
        proposal, created_by)
      values (${db.newId()}, ${repository.projectId}, ${document.name}, ${document.description ?? ""}, ${repository.id},
        ${repository.url}, ${document.type ?? "microservice"}, ${config}, true,
        ${repository.discovery === "propose" ? "proposed" : null}, ${input.createdBy})
      on conflict (project_id, name) do nothing returning id`;
    if (made) {
      await recordEvents(tx, [{
        topic: "application",
        projectId: repository.projectId,
        subjectId: made.id,
        kind: repository.discovery === "propose" ? "application.proposed" : "application.created",
        data: { name: document.name },
      }]);
    }
    // Also takes over what REST created without a repository. Only the default branch brings back what it archived.
    const [mine] = await tx<{ id: string }[]>`
      update application set repository_id = ${repository.id}, repository = ${repository.url}, declared = true,
        archived_at = case when ${input.isDefaultBranch} then null else archived_at end,
        description = case when ${input.isDefaultBranch} then ${document.description ?? ""} else description end,
        type = case when ${input.isDefaultBranch} then ${document.type ?? "microservice"} else type end,
        config = case when ${input.isDefaultBranch} then ${config} else config end,
        updated_at = boreas_now()
      where project_id = ${repository.projectId} and name = ${document.name}
        and (repository_id = ${repository.id} or (repository_id is null and coalesce(repository, ${repository.url}) = ${repository.url}))
      returning id`;
    if (!mine) {
      throw new AppError(
        "conflict",
        "application.of_another_repository",
        `${document.name} belongs to another repository; give this one another name.`,
      );
    }
    ids.set(document.name, mine.id);
    await bind(tx, mine.id, repository.projectId, Object.keys(document.environments ?? {}), input.isDefaultBranch);
  }
  return ids;
}

/** A file adds bindings, and takes back only its own, and only from the default branch. */
async function bind(
  tx: Tx,
  applicationId: string,
  projectId: string,
  names: readonly string[],
  isDefaultBranch: boolean,
): Promise<void> {
  await tx`
    insert into application_environment (application_id, environment_id, project_id, source)
    select ${applicationId}, e.id, e.project_id, 'file' from environment e
    where e.project_id = ${projectId} and e.name = any(${names as string[]}::text[])
    on conflict do nothing`;
  if (!isDefaultBranch) return;
  await tx`
    delete from application_environment b using environment e
    where b.application_id = ${applicationId} and b.source = 'file' and e.id = b.environment_id
      and not (e.name = any(${names as string[]}::text[]))`;
}
