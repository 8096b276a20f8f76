import type { Reason } from "../../domain/reason.ts";
import type { Provider } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";
import type { Hints } from "../hints.ts";
import type { Vault } from "../secrets/vault.ts";

export interface RepositoryDeps {
  db: Database;
  hints: Hints;
  vault: Vault;
}

/** A repository as the machine works with it; its secrets stay sealed until a call needs them. */
export interface RepositoryRow {
  id: string;
  projectId: string;
  url: string;
  provider: Provider;
  branch: string;
  tagPattern: string | null;
  configPaths: string[];
  webhookSecret: Uint8Array;
  credential: Uint8Array | null;
  pollSeconds: number;
  lastSyncedAt: string | null;
  polledAt: string | null;
  reason: Reason;
}

/** Where a sealed value belongs: it opens nowhere else. */
export const secretPlace = (repositoryId: string, column: "webhook_secret" | "credential") =>
  `repository:${repositoryId}:${column}`;

export const openWebhookSecret = (vault: Vault, row: RepositoryRow) =>
  vault.open(secretPlace(row.id, "webhook_secret"), row.webhookSecret);
export const openCredential = async (vault: Vault, row: RepositoryRow) =>
  row.credential === null ? null : await vault.open(secretPlace(row.id, "credential"), row.credential);
