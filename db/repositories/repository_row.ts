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
  /** For the provider's API; the credential does it where there is none. */
  statusToken: Uint8Array | null;
  apiUrl: string | null;
  discovery: "create" | "propose";
  pollSeconds: number;
  lastSyncedAt: string | null;
  polledAt: string | null;
  reason: Reason;
}

/** Where a sealed value belongs: it opens nowhere else. */
export const secretPlace = (repositoryId: string, column: "webhook_secret" | "credential" | "status_token") =>
  `repository:${repositoryId}:${column}`;

export const openWebhookSecret = (vault: Vault, row: RepositoryRow) =>
  vault.open(secretPlace(row.id, "webhook_secret"), row.webhookSecret);
export const openCredential = async (vault: Vault, row: RepositoryRow) =>
  row.credential === null ? null : await vault.open(secretPlace(row.id, "credential"), row.credential);
/** Null where nobody gave one: a credential is for reading, and nobody asked for statuses with it. */
export const openOwnStatusToken = async (vault: Vault, row: RepositoryRow): Promise<string | null> =>
  row.statusToken === null ? null : await vault.open(secretPlace(row.id, "status_token"), row.statusToken);
/** What the provider's API is called with; null when the repository has nothing for it. */
export async function openStatusToken(vault: Vault, row: RepositoryRow): Promise<string | null> {
  const own = await openOwnStatusToken(vault, row);
  if (own !== null) return own;
  const credential = await openCredential(vault, row);
  // A key for ssh opens no API.
  return credential === null || credential.includes("-----BEGIN") ? null : credential;
}
