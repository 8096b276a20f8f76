import { AppError } from "../../domain/app_error.ts";
import type { NotificationRule } from "../../domain/notification.ts";
import type { NotificationTarget } from "../../protocol/api/notifications.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import type { Vault } from "../secrets/vault.ts";
import { sealTarget, shownSettings } from "./channel_secrets.ts";
import { startReading } from "./event_cursor.ts";

export interface ChannelDeps {
  db: Database;
  hints: Hints;
  vault: Vault;
}
export interface NewChannel {
  name: string;
  target: NotificationTarget;
  language: "en" | "zh";
  username: string | null;
  rules: NotificationRule[];
  enabled: boolean;
}

/** @throws the unique violation `notification_name` */
export async function createChannel(deps: ChannelDeps, input: NewChannel, actor: Actor): Promise<string> {
  const { db, vault } = deps;
  const id = db.newId();
  const sealed = await sealTarget(vault, id, input.target);
  await db.sql.begin(async (tx) => {
    const userId = await findUser(tx, actor.projectId, input.username);
    if (input.enabled) await startReading(tx);
    await tx`
      insert into notification (id, project_id, name, kind, settings, sealed, language, user_id, rules, enabled, created_by)
      values (${id}, ${actor.projectId}, ${input.name}, ${input.target.kind}, ${
      tx.json(shownSettings(input.target) as never)
    },
        ${sealed}, ${input.language}, ${userId}, ${tx.json(input.rules as never)}, ${input.enabled}, ${actor.name})`;
    await note(db, tx, actor, id, input.name, "create", { kind: input.target.kind });
  });
  deps.hints.announce("events");
  return id;
}

/** Changes what is given. One that is switched on again is told of nothing that happened meanwhile. */
export async function updateChannel(
  deps: ChannelDeps,
  id: string,
  change: Partial<NewChannel>,
  actor: Actor,
): Promise<void> {
  const { db, vault } = deps;
  const { target, username, enabled, rules } = change;
  const sealed = target ? await sealTarget(vault, id, target) : null;
  await db.sql.begin(async (tx) => {
    const userId = username === undefined ? null : await findUser(tx, actor.projectId, username);
    if (enabled) await startReading(tx);
    const [row] = await tx<{ name: string }[]>`
      update notification set
        name = coalesce(${change.name ?? null}, name),
        kind = coalesce(${target?.kind ?? null}, kind),
        settings = coalesce(${target ? tx.json(shownSettings(target) as never) : null}, settings),
        sealed = coalesce(${sealed}, sealed),
        language = coalesce(${change.language ?? null}, language),
        user_id = case when ${username !== undefined} then ${userId}::uuid else user_id end,
        rules = coalesce(${rules ? tx.json(rules as never) : null}, rules),
        active_since = case when ${enabled ?? false} and not enabled then boreas_now() else active_since end,
        enabled = coalesce(${enabled ?? null}, enabled),
        updated_at = boreas_now()
      where id = ${id} and project_id = ${actor.projectId} returning name`;
    if (!row) throw unknownChannel();
    await note(db, tx, actor, id, row.name, "update", { changed: Object.keys(change) });
  });
  deps.hints.announce("events");
}

/** With all that it was sent, or was still to be sent. */
export async function deleteChannel(deps: ChannelDeps, id: string, actor: Actor): Promise<void> {
  await deps.db.sql.begin(async (tx) => {
    const [row] = await tx<{ name: string }[]>`
      delete from notification where id = ${id} and project_id = ${actor.projectId} returning name`;
    if (!row) throw unknownChannel();
    await note(deps.db, tx, actor, id, row.name, "delete", {});
  });
  deps.hints.announce("events");
}

export const unknownChannel = () =>
  new AppError("not_found", "notification.unknown", "There is no such notification channel.");

async function findUser(tx: Tx, projectId: string, username: string | null): Promise<string | null> {
  if (username === null) return null;
  const [user] = await tx<{ id: string }[]>`
    select u.id from app_user u join member m on m.user_id = u.id
    where u.username = ${username} and m.project_id = ${projectId}`;
  if (!user) {
    throw new AppError("invalid", "user.unknown", `There is no user ${username} in this project.`, [
      { path: "username", message: "no user of this project" },
    ]);
  }
  return user.id;
}

async function note(
  db: Database,
  tx: Tx,
  actor: Actor,
  id: string,
  name: string,
  what: "create" | "update" | "delete",
  detail: Record<string, unknown>,
): Promise<void> {
  await recordEvents(tx, [{
    topic: "notification",
    projectId: actor.projectId,
    subjectId: id,
    kind: `notification.${what}d`,
    data: { name },
  }]);
  await recordAudit(db, tx, actor, `notification.${what}`, `notification:${id}`, { name, ...detail });
}
