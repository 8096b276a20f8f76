/** Documents stored once by content: the same document always has the same bytes, so the same hash. */
import { createHash } from "node:crypto";
import type { Sql } from "../client.ts";
import type { Tx } from "../database.ts";

/** JSON with sorted keys; what is undefined is left out, as JSON itself does. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, v]) => v !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, v]) => `${JSON.stringify(key)}:${canonicalJson(v)}`).join(",")}}`;
}
export const documentHash = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("hex");

/**
 * One that was there and has not been asked for lately becomes young again: retention removes only what is old, so
 * what the caller refers to now stays (`db/retention/remove_unused.ts`).
 * @returns its sha256
 */
export async function freezeDocument(tx: Tx, value: unknown): Promise<string> {
  const content = canonicalJson(value);
  const sha256 = createHash("sha256").update(content).digest("hex");
  await tx`
    insert into frozen_document (sha256, content) select ${sha256}, ${content} where not exists (
      select from frozen_document where sha256 = ${sha256} and created_at > boreas_now() - interval '1 hour')
    on conflict (sha256) do update set created_at = boreas_now()`;
  return sha256;
}

export async function readDocument(sql: Sql | Tx, sha256: string): Promise<unknown> {
  const [row] = await sql<{ content: string }[]>`select content from frozen_document where sha256 = ${sha256}`;
  if (!row) throw new Error(`document ${sha256} is referred to and missing`);
  return JSON.parse(row.content);
}
