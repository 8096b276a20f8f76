import { AppError } from "../../domain/app_error.ts";
import { parseRepositoryAddress } from "../../domain/repository_address.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { startTelling } from "../statuses/route_deployments.ts";
import type { NewRepository } from "./create_repository.ts";
import { secretPlace } from "./repository_row.ts";
import type { RepositoryDeps } from "./repository_row.ts";

const placeOf = (url: string) => {
  const parsed = parseRepositoryAddress(url, { allowFile: true });
  return "address" in parsed ? `${parsed.address.kind}://${parsed.address.host}` : url;
};
/** A stored credential cannot be read, so it must not be sent to wherever somebody points it at either. */
const credentialMissing = () =>
  new AppError(
    "invalid",
    "repository.credential",
    "The address leads to another host; send the credential for it too, or null for none.",
    [{ path: "credential", message: "must be sent with an address on another host" }],
  );
const tokenMissing = () =>
  new AppError(
    "invalid",
    "repository.status_token",
    "The provider's API is at another address then; send the statusToken for it too, or null for none.",
    [{ path: "statusToken", message: "must be sent when the API is at another address" }],
  );

/** Changes what is given and looks at the remote again. `credential: null` removes it. */
export async function updateRepository(
  { db, hints, vault }: RepositoryDeps,
  id: string,
  change: Partial<NewRepository>,
  actor: Actor,
): Promise<void> {
  const secret = change.webhookSecret === undefined
    ? null
    : await vault.seal(secretPlace(id, "webhook_secret"), change.webhookSecret);
  const credential = typeof change.credential === "string"
    ? await vault.seal(secretPlace(id, "credential"), change.credential)
    : null;
  const statusToken = typeof change.statusToken === "string"
    ? await vault.seal(secretPlace(id, "status_token"), change.statusToken)
    : null;
  await db.sql.begin(async (tx) => {
    await keepTokenAtItsPlace(tx, id, change, actor);
    if (statusToken !== null) await startTelling(tx);
    if (change.url !== undefined && change.credential === undefined) {
      const [old] = await tx<{ url: string }[]>`
        select url from repository
        where id = ${id} and project_id = ${actor.projectId} and credential is not null for update`;
      if (old && placeOf(old.url) !== placeOf(change.url)) throw credentialMissing();
    }
    const [row] = await tx<{ url: string }[]>`
      update repository set
        url = coalesce(${change.url ?? null}, url),
        provider = coalesce(${change.provider ?? null}, provider),
        branch = coalesce(${change.branch ?? null}, branch),
        tag_pattern = case when ${change.tagPattern !== undefined} then ${
      change.tagPattern ?? null
    } else tag_pattern end,
        config_paths = coalesce(${change.configPaths ?? null}, config_paths),
        webhook_secret = coalesce(${secret}, webhook_secret),
        credential = case when ${change.credential !== undefined} then ${credential} else credential end,
        status_token = case when ${change.statusToken !== undefined} then ${statusToken} else status_token end,
        api_url = case when ${change.apiUrl !== undefined} then ${change.apiUrl ?? null} else api_url end,
        discovery = coalesce(${change.discovery ?? null}, discovery),
        poll_seconds = coalesce(${change.pollSeconds ?? null}, poll_seconds),
        next_poll_at = case when coalesce(${change.pollSeconds ?? null}, poll_seconds) > 0 then boreas_now() end,
        updated_at = boreas_now()
      where id = ${id} and project_id = ${actor.projectId} returning url`;
    if (!row) throw new AppError("not_found", "repository.unknown", "There is no such repository.");
    await recordEvents(tx, [{
      topic: "repository",
      projectId: actor.projectId,
      subjectId: id,
      kind: "repository.changed",
      data: { name: row.url },
    }]);
    await recordAudit(db, tx, actor, "repository.update", `repository:${id}`, { changed: Object.keys(change) });
  });
  hints.announce("events");
  hints.announce("deliveries");
}

/** What the API is called with goes nowhere that it was not given for; the credential stands in for it. */
async function keepTokenAtItsPlace(tx: Tx, id: string, change: Partial<NewRepository>, actor: Actor): Promise<void> {
  if ((change.apiUrl === undefined && change.url === undefined) || change.statusToken !== undefined) return;
  const [old] = await tx<{ url: string; apiUrl: string | null; hasToken: boolean; hasCredential: boolean }[]>`
    select url, api_url, status_token is not null as has_token, credential is not null as has_credential from repository
    where id = ${id} and project_id = ${actor.projectId} for update`;
  if (!old) return;
  const movesApi = change.apiUrl !== undefined && change.apiUrl !== old.apiUrl;
  const movesHost = change.url !== undefined && old.apiUrl === null && placeOf(old.url) !== placeOf(change.url);
  const isLent = old.hasToken || (old.hasCredential && change.credential === undefined);
  if (isLent && (movesApi || (movesHost && old.hasToken))) throw tokenMissing();
}
