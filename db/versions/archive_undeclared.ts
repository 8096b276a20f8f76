import type { Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { VersionToRecord } from "./version_to_record.ts";

/**
 * What files of this repository declared once and the newest commit of its default branch does not: out of sight, and
 * deployed by nothing. Whatever runs of it runs on; its versions, bindings and history stay, and so it can come back.
 */
export async function archiveUndeclared(
  tx: Tx,
  { repository, applications, isNewest }: Pick<VersionToRecord, "repository" | "applications" | "isNewest">,
): Promise<void> {
  if (!isNewest) return;
  const archived = await tx<{ id: string; name: string }[]>`
    update application set archived_at = boreas_now(), updated_at = boreas_now()
    where repository_id = ${repository.id} and declared and archived_at is null
      and not (name = any(${applications.map(({ document }) => document.name)}::text[]))
    returning id, name`;
  await recordEvents(
    tx,
    archived.map(({ id, name }) => ({
      topic: "application" as const,
      projectId: repository.projectId,
      subjectId: id,
      kind: "application.archived",
      data: { name },
    })),
  );
}
