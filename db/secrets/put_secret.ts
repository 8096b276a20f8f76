import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { SecretProvider } from "../../domain/secret_source.ts";
import { findStale } from "./find_stale.ts";
import type { Vault } from "./vault.ts";

export interface SecretScope {
  name: string;
  environmentId: string | null;
  applicationId: string | null;
}
/** Where a value is sealed to: it opens nowhere else. */
export const secretPlace = (id: string): string => `secret:${id}:sealed`;

/** A value, or where it is kept. */
export interface SecretInput {
  value?: string | undefined;
  from?: { env: string } | { file: string } | undefined;
}

/**
 * Creates the secret, or gives the one of this name and scope a new value: then what runs with the old one is told to be
 * out of sync, until it is deployed again.
 */
export async function putSecret(
  { db, vault }: { db: Database; vault: Vault },
  { name, environmentId, applicationId, ...input }: SecretScope & SecretInput,
  actor: Actor,
): Promise<{ id: string; created: boolean }> {
  const { provider, reference } = placeOf(input);
  const seal = async (id: string) =>
    input.value === undefined ? new Uint8Array() : await vault.seal(secretPlace(id), input.value);
  return await db.sql.begin(async (tx) => {
    if (environmentId) {
      const [found] = await tx`
        select 1 from environment where id = ${environmentId} and project_id = ${actor.projectId} for share`;
      if (!found) throw new AppError("not_found", "environment.unknown", "There is no such environment.");
    }
    if (applicationId) {
      const [found] = await tx`
        select 1 from application where id = ${applicationId} and project_id = ${actor.projectId} for share`;
      if (!found) throw new AppError("not_found", "application.unknown", "There is no such application.");
    }
    const newId = db.newId();
    const [inserted] = await tx`
      insert into secret (id, project_id, name, environment_id, application_id, sealed, provider, reference, created_by)
      values (${newId}, ${actor.projectId}, ${name}, ${environmentId}, ${applicationId},
        ${await seal(newId)}, ${provider}, ${reference}, ${actor.name})
      on conflict (project_id, name, environment_id, application_id) do nothing returning id`;
    let id = newId;
    if (!inserted) {
      // It was there: the value is sealed to that row, whose id is known only now.
      const [row] = await tx<{ id: string }[]>`
        select id from secret where project_id = ${actor.projectId} and name = ${name}
          and environment_id is not distinct from ${environmentId}::uuid
          and application_id is not distinct from ${applicationId}::uuid for update`;
      if (!row) throw new AppError("unavailable", "database.busy", "Somebody changed the same secret; try again.");
      id = row.id;
      await tx`update secret set sealed = ${await seal(id)}, provider = ${provider}, reference = ${reference},
        updated_at = boreas_now(), rotated_at = boreas_now(), rotated_by = ${actor.name} where id = ${id}`;
    }
    await recordEvents(tx, await findStale(tx, actor.projectId, id));
    await recordAudit(db, tx, actor, inserted ? "secret.create" : "secret.update", `secret:${id}`, {
      name,
      environmentId,
      applicationId,
      provider,
    });
    return { id, created: Boolean(inserted) };
  });
}

function placeOf({ from }: SecretInput): { provider: SecretProvider; reference: string | null } {
  if (from === undefined) return { provider: "boreas", reference: null };
  return "env" in from ? { provider: "env", reference: from.env } : { provider: "file", reference: from.file };
}
