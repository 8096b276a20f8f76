import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { freezeDocument, readDocument } from "../blobs/freeze_document.ts";
import { blobSize } from "../blobs/read_blob.ts";
import { storeBlob } from "../blobs/store_blob.ts";
import { DEFAULT_PROJECT } from "../database.ts";
import { writeVersionApp } from "../versions/write_version_app.ts";
import { findUnusedBlobs, findUnusedDocuments, removeBlob, removeDocuments } from "./remove_unused.ts";

const db = await createTestDatabase();
const { sql } = db;
const seed = seedWork(db);
const freeze = (value: unknown) => sql.begin((tx) => freezeDocument(tx, value));
const store = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  return storeBlob(db, createHash("sha256").update(bytes).digest("hex"), bytes);
};
const age = async () => {
  await sql`update frozen_document set created_at = boreas_now() - interval '2 days'`;
  await sql`update blob set created_at = boreas_now() - interval '2 days'`;
};
const ofVersion = async (documentSha256: string, bundle: { sha256: string; size: number } | null) => {
  const [versionId, applicationId] = [await seed.version(), await seed.application()];
  const app = { versionId, applicationId, projectId: DEFAULT_PROJECT, changed: true, documentSha256, bundle };
  await sql.begin((tx) => writeVersionApp(tx, { ...app, pinned: {}, late: [] }));
};

it("finds documents and blobs that nothing names, and no other", async () => {
  const { id: deploymentId, environmentId, versionId } = await seed.deployment();
  const applicationId = await seed.application();
  const [document, spec, runs, before, unused] = await Promise.all(
    ["document", "spec", "runs", "before", "unused"].map((name) => freeze({ name })),
  );
  const [bundle, inSpec, unusedBlob] = await Promise.all(["bundle", "in spec", "unused blob"].map(store));
  const naming = await freeze({ artifacts: { code: { kind: "blob", sha256: inSpec!.sha256 } } });
  await ofVersion(document!, bundle!);
  const task = await seed.task({ deploymentId, environmentId, payload: { previous: { specSha256: before } } });
  await sql`update task set spec_sha256 = ${spec!} where id = ${task}`;
  const other = await seed.task({ deploymentId, environmentId });
  await sql`update task set spec_sha256 = ${naming} where id = ${other}`;
  await sql`insert into app_state (environment_id, application_id, target, project_id, version_id, spec_sha256, health, sync)
    values (${environmentId}, ${applicationId}, '-', ${DEFAULT_PROJECT}, ${versionId}, ${runs!}, 'healthy', 'synced')`;
  expect([await findUnusedDocuments(db, 10), await findUnusedBlobs(db, 10)]).toEqual([[], []]); // young
  await age();
  expect(await findUnusedDocuments(db, 10)).toEqual([unused]);
  expect(await findUnusedBlobs(db, 10)).toEqual([unusedBlob!.sha256]);
  expect(await removeDocuments(db, [unused!])).toBe(1);
  expect(await removeBlob(db, unusedBlob!.sha256)).toBe(1);
  await expect(readDocument(sql, unused!)).rejects.toThrow("missing");
  expect(await sql`select 1 from blob_chunk where sha256 = ${unusedBlob!.sha256}`).toHaveLength(0);
  expect(await blobSize(db, bundle!.sha256)).toBe(bundle!.size);
});

it("leaves a document that somebody froze again after it was found", async () => {
  const sha256 = await freeze({ name: "found, then wanted" });
  await age();
  expect(await findUnusedDocuments(db, 10)).toContain(sha256);
  await freeze({ name: "found, then wanted" });
  expect(await removeDocuments(db, [sha256])).toBe(0);
});

it("passes over a document that is being frozen at that moment", async () => {
  const sha256 = await freeze({ name: "contended" });
  await age();
  await sql.begin(async (tx) => {
    await freezeDocument(tx, { name: "contended" });
    expect(await removeDocuments(db, [sha256])).toBe(0);
  });
});

it("lets one who freezes while it is removed wait, and write it anew", async () => {
  const sha256 = await freeze({ name: "going" });
  await age();
  let frozen: Promise<string> | undefined;
  await sql.begin(async (tx) => {
    await tx`delete from frozen_document where sha256 = ${sha256}`;
    frozen = freeze({ name: "going" });
    await expect.poll(async () => (await sql`select 1 from pg_locks where not granted`).length).toBeGreaterThan(0);
  });
  expect(await frozen).toBe(sha256);
  expect(await readDocument(sql, sha256)).toEqual({ name: "going" });
});

it("leaves a blob that was stored again, and one that a version is about to name", async () => {
  const [again, named] = [await store("stored again"), await store("about to be named")];
  await age();
  expect((await findUnusedBlobs(db, 10)).sort()).toEqual([again.sha256, named.sha256].sort());
  await store("stored again");
  expect(await removeBlob(db, again.sha256)).toBe(0);
  await ofVersion(await freeze({ name: "names it" }), named);
  expect(await removeBlob(db, named.sha256)).toBe(0);
});

it("has a version whose files went meanwhile tried again", async () => {
  const gone = await store("gone meanwhile");
  await age();
  expect(await removeBlob(db, gone.sha256)).toBe(1);
  await expect(ofVersion(await freeze({ name: "too late" }), gone)).rejects.toThrow("try again");
});
