import type { Actor, Database, Tx } from "../database.ts";

/**
 * Writes what a person or a token did, in the transaction in which it was done. `detail` never holds a secret.
 * @param action `deployment.start`, `repository.create`, ...
 * @param target `deployment:ID`, `repository:ID`, ...
 */
export async function recordAudit(
  db: Database,
  tx: Tx,
  actor: Actor,
  action: string,
  target: string,
  detail: Record<string, unknown> = {},
): Promise<void> {
  await tx`insert into audit (id, project_id, actor, action, target, detail, ip)
    values (${db.newId()}, ${actor.projectId}, ${actor.name}, ${action}, ${target}, ${
    tx.json(detail as never)
  }, ${actor.ip})`;
}
