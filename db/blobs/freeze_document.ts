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

/** @returns its sha256 */
export async function freezeDocument(tx: Tx, value: unknown): Promise<string> {
  const content = canonicalJson(value);
  const sha256 = createHash("sha256").update(content).digest("hex");
  await tx`insert into frozen_document (sha256, content) values (${sha256}, ${content}) on conflict do nothing`;
  return sha256;
}

export async function readDocument(sql: Sql | Tx, sha256: string): Promise<unknown> {
  const [row] = await sql<{ content: string }[]>`select content from frozen_document where sha256 = ${sha256}`;
  if (!row) throw new Error(`document ${sha256} is referred to and missing`);
  return JSON.parse(row.content);
}
