import { SignJWT } from "jose";
import { expect, it } from "vitest";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { storeBlob } from "../../db/blobs/store_blob.ts";
import { sha256 as hash } from "../secret_text.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const bytes = new Uint8Array(1_300_000).map((_, i) => (i * 31) % 256);
const sha256 = [...await hash(bytes)].map((b) => b.toString(16).padStart(2, "0")).join("");
await storeBlob(db, sha256, bytes);
const ticket = (claims: Record<string, unknown>, expires = "24h", key = api.deps.keys.blobTicket) =>
  new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setAudience("boreas.blob").setExpirationTime(expires).sign(
    key,
  );
const get = (as: string | null, name = sha256) => api.request("GET", `/blobs/${name}`, undefined, as);

it("gives the bytes for a ticket that names them", async () => {
  const response = await api.app.request(`/api/v1/blobs/${sha256}`, {
    headers: { authorization: `Bearer ${await ticket({ sha: [sha256], taskId: db.newId() })}` },
  });
  expect(response.headers.get("content-length")).toBe(String(bytes.length));
  expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
});

it("refuses a ticket for other blobs, an expired one, a forged one, and none", async () => {
  expect((await get(await ticket({ sha: ["0".repeat(64)] }))).status).toBe(403);
  expect((await get(await ticket({ sha: [sha256] }, "-1s"))).body.code).toBe("blob.expired");
  const forged = await ticket({ sha: [sha256] }, "1h", crypto.getRandomValues(new Uint8Array(32)));
  expect((await get(forged)).status).toBe(401);
  expect((await get(null)).status).toBe(401);
});

it("opens for people who may deploy, not for viewers", async () => {
  expect((await get("deployer")).status).toBe(200);
  expect((await get("viewer")).status).toBe(403);
  expect((await get("deployer", "1".repeat(64))).status).toBe(404);
});
