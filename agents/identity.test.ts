import { CompactEncrypt, importJWK } from "jose";
import { describe, expect, it } from "vitest";
import { type EnrollRequest, signedHello } from "../protocol/agent_messages.ts";
import { createMemoryDisk } from "../tests/helpers/memory_disk.ts";
import { TEST_FACTS } from "../tests/helpers/test_agent.ts";
import { createEmbeddedIdentity, enroll, loadIdentity } from "./identity.ts";

async function setUp() {
  const disk = createMemoryDisk();
  const requests: EnrollRequest[] = [];
  const identity = await enroll({
    disk,
    token: "bet_token",
    name: "node-1",
    facts: TEST_FACTS,
    post: (_path, body) => {
      requests.push(body as EnrollRequest);
      return Promise.resolve({ status: 201, body: { agentId: "a1", masterId: "m1", name: "node-1" } });
    },
  });
  return { disk, identity, request: requests[0]! };
}

async function seal(sealingKey: string, header: { taskId: string; fence: number }, secrets: Record<string, string>) {
  const key = await importJWK({ kty: "OKP", crv: "X25519", x: sealingKey }, "ECDH-ES");
  const plaintext = new TextEncoder().encode(JSON.stringify(secrets));
  const protectedHeader = { alg: "ECDH-ES", enc: "A256GCM", ...header };
  return await new CompactEncrypt(plaintext).setProtectedHeader(protectedHeader).encrypt(key);
}

describe("an agent's identity", () => {
  it("is made once, pins its master, and is the same after a restart", async () => {
    const { disk, identity, request } = await setUp();
    expect(request).toMatchObject({ token: "bet_token", name: "node-1" });
    expect(identity).toMatchObject({ agentId: "a1", masterId: "m1" });
    const again = await loadIdentity(disk);
    expect(await again!.sign("n", "m1")).toBe(await identity.sign("n", "m1"));
    expect(await loadIdentity(createMemoryDisk())).toBeUndefined();
  });

  it("keeps its private keys to itself", async () => {
    const { disk, request } = await setUp();
    const file = JSON.parse(new TextDecoder().decode(await disk.read("identity.json")));
    for (const secret of [file.signing.d, file.sealing.d]) expect(JSON.stringify(request)).not.toContain(secret);
    expect([request.publicKey, request.sealingKey]).toEqual([file.signing.x, file.sealing.x]);
  });

  it("signs the nonce for this agent and this master only", async () => {
    const { identity, request } = await setUp();
    const raw = Uint8Array.from(
      atob(request.publicKey.replaceAll("-", "+").replaceAll("_", "/")),
      (c) => c.charCodeAt(0),
    );
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    const signature = Uint8Array.from(
      atob((await identity.sign("nonce", "m1")).replaceAll("-", "+").replaceAll("_", "/")),
      (c) => c.charCodeAt(0),
    );
    const holds = (...said: [string, string, string]) =>
      crypto.subtle.verify("Ed25519", key, signature, signedHello(...said) as Uint8Array<ArrayBuffer>);
    expect(await holds("nonce", "a1", "m1")).toBe(true);
    expect(await holds("nonce", "a1", "m2")).toBe(false);
    expect(await holds("other", "a1", "m1")).toBe(false);
  });

  it("opens secrets that were sealed to it for this lease, and no others", async () => {
    const { identity, request } = await setUp();
    const lease = { taskId: "t1", fence: 3 };
    const sealed = await seal(request.sealingKey, lease, { PASSWORD: "p" });
    expect(await identity.openSecrets(sealed, lease)).toEqual({ PASSWORD: "p" });
    await expect(identity.openSecrets(sealed, { taskId: "t2", fence: 3 })).rejects.toThrow("another lease");
    await expect(identity.openSecrets(sealed, { taskId: "t1", fence: 4 })).rejects.toThrow("another lease");
    const stranger = await createEmbeddedIdentity("e1");
    await expect(stranger.identity.openSecrets(sealed, lease)).rejects.toThrow();
  });

  it("serves an embedded operator without a signature", async () => {
    const { identity, sealingKey } = await createEmbeddedIdentity("e1");
    const lease = { taskId: "t1", fence: 1 };
    expect(await identity.sign("n", "m")).toBe("");
    expect(await identity.openSecrets(await seal(sealingKey, lease, { A: "b" }), lease)).toEqual({ A: "b" });
  });

  it("says the master's own sentence when it is refused, and keeps nothing", async () => {
    const disk = createMemoryDisk();
    const refused = enroll({
      disk,
      token: "bet_used",
      name: "node-1",
      facts: TEST_FACTS,
      post: () => Promise.resolve({ status: 401, body: { detail: "The token has been used up." } }),
    });
    await expect(refused).rejects.toThrow("The master refused to enrol this machine: The token has been used up.");
    expect(await loadIdentity(disk)).toBeUndefined();
  });

  it("says which file is damaged instead of enrolling anew", async () => {
    const disk = createMemoryDisk();
    await disk.writeAtomic("identity.json", new TextEncoder().encode("{"));
    await expect(loadIdentity(disk)).rejects.toThrow("identity.json in the agent's state folder is damaged");
  });
});
