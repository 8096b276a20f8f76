import { reason } from "../../domain/reason.ts";
import type { Provider } from "../../protocol/http_api.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { startTelling } from "../statuses/route_deployments.ts";
import { secretPlace } from "./repository_row.ts";
import type { RepositoryDeps } from "./repository_row.ts";

export interface NewRepository {
  url: string;
  provider: Provider;
  branch: string;
  tagPattern: string | null;
  configPaths: string[];
  webhookSecret: string;
  credential: string | null;
  statusToken?: string | null;
  apiUrl?: string | null;
  discovery?: "create" | "propose";
  pollSeconds: number;
}

/**
 * Registers a remote; the poller looks at it at once, so that a wrong address or credential shows before the first push.
 * @throws the unique violation `repository_url` when the address is registered
 */
export async function createRepository(
  { db, hints, vault }: RepositoryDeps,
  input: NewRepository,
  actor: Actor,
): Promise<string> {
  const id = db.newId();
  const webhookSecret = await vault.seal(secretPlace(id, "webhook_secret"), input.webhookSecret);
  const credential = input.credential === null
    ? null
    : await vault.seal(secretPlace(id, "credential"), input.credential);
  const statusToken = input.statusToken ? await vault.seal(secretPlace(id, "status_token"), input.statusToken) : null;
  await db.sql.begin(async (tx) => {
    if (statusToken !== null) await startTelling(tx);
    await tx`
      insert into repository (id, project_id, url, provider, branch, tag_pattern, config_paths, webhook_secret, credential,
        status_token, api_url, discovery, poll_seconds, next_poll_at, reason, created_by)
      values (${id}, ${actor.projectId}, ${input.url}, ${input.provider}, ${input.branch}, ${input.tagPattern},
        ${input.configPaths}, ${webhookSecret}, ${credential}, ${statusToken}, ${input.apiUrl ?? null},
        ${input.discovery ?? "create"}, ${input.pollSeconds},
        case when ${input.pollSeconds}::int > 0 then boreas_now() end,
        ${tx.json(reason("repository.new") as never)}, ${actor.name})`;
    // Applications that were created over REST with this address become its own.
    await tx`update application set repository_id = ${id}
      where project_id = ${actor.projectId} and repository = ${input.url} and repository_id is null`;
    await recordEvents(tx, [{
      topic: "repository",
      projectId: actor.projectId,
      subjectId: id,
      kind: "repository.created",
      data: { name: input.url },
    }]);
    await recordAudit(db, tx, actor, "repository.create", `repository:${id}`, {
      url: input.url,
      provider: input.provider,
    });
  });
  hints.announce("events");
  hints.announce("deliveries");
  return id;
}
