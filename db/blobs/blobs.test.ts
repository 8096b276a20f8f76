import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { canonicalJson, documentHash, freezeDocument, readDocument } from "./freeze_document.ts";
import { blobSize, readBlobChunks } from "./read_blob.ts";
import { BLOB_CHUNK_BYTES, storeBlob } from "./store_blob.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const random = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
async function readAll(sha256: string): Promise<Uint8Array> {
  const parts: number[] = [];
  for await (const chunk of readBlobChunks(db, sha256)) for (const byte of chunk) parts.push(byte);
  return Uint8Array.from(parts);
}

describe("a blob", () => {
  it("comes back byte for byte, in rows below a frame", async () => {
    const bytes = random(BLOB_CHUNK_BYTES * 2 + 7);
    expect(await storeBlob(db, hash(bytes), bytes)).toEqual({ sha256: hash(bytes), size: bytes.length });
    expect(hash(await readAll(hash(bytes)))).toBe(hash(bytes));
    const [row] = await db.sql`select count(*)::int as n, max(length(data))::int as most from blob_chunk`;
    expect(row).toEqual({ n: 3, most: BLOB_CHUNK_BYTES });
  });

  it("is stored once, also when several store it at the same time", async () => {
    const bytes = random(1000);
    const stored = await Promise.all(Array.from({ length: 5 }, () => storeBlob(db, hash(bytes), bytes)));
    expect(new Set(stored.map((s) => s.size))).toEqual(new Set([1000]));
    expect((await db.sql`select 1 from blob_chunk where sha256 = ${hash(bytes)}`).length).toBe(1);
  });

  it("may be empty, and is absent until it is stored", async () => {
    const empty = new Uint8Array();
    expect(await blobSize(db, hash(empty))).toBeUndefined();
    await storeBlob(db, hash(empty), empty);
    expect(await blobSize(db, hash(empty))).toBe(0);
    expect((await readAll(hash(empty))).length).toBe(0);
  });

  it("under a hash that is not its own is refused and leaves nothing", async () => {
    const wrong = "0".repeat(64);
    await expect(storeBlob(db, wrong, random(10))).rejects.toThrow("is");
    expect(await blobSize(db, wrong)).toBeUndefined();
  });
});

describe("a frozen document", () => {
  it("has one hash whatever the order of its keys", async () => {
    expect(canonicalJson({ b: [1, { d: 2, c: undefined }], a: null })).toBe('{"a":null,"b":[1,{"d":2}]}');
    expect(documentHash({ a: 1, b: 2 })).toBe(documentHash({ b: 2, a: 1 }));
    const freeze = (value: unknown) => db.sql.begin((tx) => freezeDocument(tx, value));
    const sha256 = await freeze({ b: 2, a: "ü" });
    expect(await freeze({ a: "ü", b: 2 })).toBe(sha256);
    expect(await readDocument(db.sql, sha256)).toEqual({ a: "ü", b: 2 });
  });

  it("that is missing is an error that names it", async () => {
    await expect(readDocument(db.sql, "nope")).rejects.toThrow("document nope");
  });
});
