import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { findUnusedBlobs } from "../../db/retention/remove_unused.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { findProgram } from "../../tests/helpers/require_component.ts";
import { temporaryFolder } from "../../tests/helpers/temporary_folder.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { AgentFiles } from "../install/handed_out.ts";
import { enrollmentLine } from "../install/public_address.ts";

const db = await createTestDatabase();
const text = (body: string) => new TextEncoder().encode(body);
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const small = new Map([["boreas-agent", text("#!/bin/sh\n")], ["boreas-agent.js", text("agent()")]]);
const agentFiles: AgentFiles = {
  version: "1.2.3",
  files: [...small].map(([name, bytes]) => ({ name, sha256: sha(bytes), size: bytes.length })),
  script: "URL=@MASTER_URL@\nCA=@CA_PEM@\nPIN=@CA_FINGERPRINT@\nV=@VERSION@\nFILES=@FILES@\nmail=a@b.example\nmain\n",
  open: (name) => {
    const bytes = small.get(name);
    if (!bytes) return Promise.resolve(undefined);
    const packed = new Uint8Array(gzipSync(bytes));
    return Promise.resolve({ size: packed.length, body: new Blob([packed]).stream() });
  },
};
const sign = (manifest: object) => Promise.resolve({ ...manifest, signature: "signed" } as never);
const PEM = "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n";
const api = await createTestApi(db, {
  agentFiles,
  release: { publicKey: "k", sign },
  publicUrl: "https://boreas.example.com",
  caCertificate: PEM,
});

/** As much of an ELF file as is looked at. */
const program = (machine: number, length = 5000) => {
  const bytes = new Uint8Array(length).fill(7);
  bytes.set([0x7f, 0x45, 0x4c, 0x46]);
  bytes.set([machine, 0], 18);
  return bytes;
};
const upload = async (arch: string, body: Uint8Array<ArrayBuffer>, as: "admin" | "deployer" = "admin") => {
  const answer = await api.app.request(`/api/v1/install/runtimes/linux/${arch}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${api.tokens[as]}`, "content-type": "application/gzip" },
    body,
  });
  return { status: answer.status, body: await answer.json() };
};
const bytesOf = async (path: string) => {
  const answer = await api.app.request(`/api/v1${path}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { status: answer.status, bytes, length: Number(answer.headers.get("content-length")) };
};

it("fills the script with what it believes, each value as the shell takes it literally", async () => {
  const { status, body } = await api.request("GET", "/install.sh", undefined, null);
  expect(status).toBe(200);
  const lines = agentFiles.files.map((file) => `${file.name} ${file.sha256} ${file.size}`);
  expect(body).toBe(
    `URL='https://boreas.example.com'\nCA='${PEM.trim()}'\nPIN='${sha(text("abc"))}'\nV='1.2.3'\n` +
      `FILES='${lines.join("\n")}'\nmail=a@b.example\nmain\n`,
  );
});

it("hands out its files packed and plain, to anybody, and no other", async () => {
  const plain = await bytesOf("/install/boreas-agent.js");
  expect([plain.status, plain.length, plain.bytes]).toEqual([200, 7, text("agent()")]);
  const packed = await bytesOf("/install/boreas-agent.js.gz");
  expect(new Uint8Array(gunzipSync(packed.bytes))).toEqual(text("agent()"));
  expect(packed.length).toBe(packed.bytes.length);
  for (const name of ["passwd", "..%2f..%2fetc%2fpasswd", "install", ".gz"]) {
    expect([name, (await bytesOf(`/install/${name}`)).status]).toEqual([name, 404]);
  }
});

it("signs the manifest", async () => {
  const { body } = await api.request("GET", "/install/manifest", undefined, null);
  expect(body).toMatchObject({ version: "1.2.3", files: agentFiles.files, signature: "signed" });
});

it("takes a runtime for another machine type from an admin, and hands it out like its own", async () => {
  const bytes = program(0xb7);
  const packed = new Uint8Array(gzipSync(bytes));
  expect((await upload("arm64", packed, "deployer")).status).toBe(403);
  const before = await bytesOf("/install/offline/linux-arm64.tar");
  expect(before.status).toBe(404);
  const kept = await upload("arm64", packed);
  expect([kept.status, kept.body]).toMatchObject([200, { os: "linux", arch: "arm64", sha256: sha(bytes), size: 5000 }]);
  expect((await bytesOf("/install/deno-linux-arm64")).bytes).toEqual(bytes);
  const { body: script } = await api.request("GET", "/install.sh", undefined, null);
  expect(script).toContain(`deno-linux-arm64 ${sha(bytes)} 5000`);
  const { body: listed } = await api.request("GET", "/install/runtimes", undefined, "viewer");
  expect(listed.items).toMatchObject([{ arch: "arm64", createdBy: "token:admin" }]);
  const archive = await bytesOf("/install/offline/linux-arm64.tar");
  expect([archive.status, archive.bytes.length]).toEqual([200, archive.length]);
  expect(new TextDecoder("latin1").decode(archive.bytes)).toContain("deno-linux-arm64.gz");
  await db.sql`update blob set created_at = boreas_now() - interval '3 days'`;
  expect(await findUnusedBlobs(db, 10)).toEqual([]);
});

it("refuses what is no program for those machines, and says what is wrong", async () => {
  const refusals: [string, Uint8Array<ArrayBuffer>, string][] = [
    ["arm64", program(0xb7), "packed with gzip"],
    ["arm64", new Uint8Array(gzipSync(program(0x3e))), "a program for amd64, not for arm64"],
    ["arm64", new Uint8Array(gzipSync(text("PK zip"))), "no Linux program"],
    ["arm64", new Uint8Array(gzipSync(program(0xb7))).slice(0, 40), "damaged"],
  ];
  for (const [arch, body, said] of refusals) {
    const answer = await upload(arch, body);
    expect([answer.status, answer.body.detail]).toEqual([400, expect.stringContaining(said)]);
  }
});

it("writes one line to paste: no token among arguments, its own authority pinned", async () => {
  const { body } = await api.request("POST", "/enrollment-tokens", { approveFirst: true });
  expect(body).toMatchObject({ approveFirst: true, kind: "agent", usesLeft: 1 });
  expect(body.line).toBe(enrollmentLine("https://boreas.example.com", body.token, PEM));
  expect(body.line).toContain(`grep -q ^${sha(text(PEM))}`);
  expect(body.line).toMatch(/\| sudo sh$/);
  expect(body.line.split(body.token)).toHaveLength(2);
  const line = enrollmentLine("https://b.example", "bet_x", undefined);
  expect(line).not.toContain("--cacert");
  // A person's own `g` or `k` is not written over.
  const defined = [...`${line} ${body.line}`.matchAll(/(\S+)\(\) \{/g)].map(([, name]) => name!);
  expect(new Set(defined)).toEqual(new Set(["boreas_get", "boreas_ask"]));
  expect(line).toContain(
    `{ echo "BOREAS_TOKEN=bet_x HTTPS_PROXY='\${HTTPS_PROXY:-$https_proxy}' NO_PROXY='\${NO_PROXY:-$no_proxy}'"; ` +
      "boreas_get https://b.example/api/v1/install.sh ",
  );
});

/** A folder of programs that are all a shell finds, and what pasting a line into that shell comes to. */
async function machineWith(programs: Record<string, string>) {
  const folder = await temporaryFolder("line");
  for (const name of ["cat", "sh", "mktemp", "sha256sum", "grep"]) {
    await Deno.symlink(findProgram(name)!, `${folder}/${name}`);
  }
  for (const [name, script] of Object.entries({ sudo: 'exec "$@"', ...programs })) {
    await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return {
    folder,
    async paste(authority: string | undefined, more: Record<string, string> = {}) {
      const args = ["-c", enrollmentLine("https://b.example", "bet_x", authority)];
      const env = { PATH: folder, TMPDIR: folder, ...more };
      const { code, stdout } = await new Deno.Command("/bin/sh", { args, env, clearEnv: true }).output();
      return [code, new TextDecoder().decode(stdout).trim()];
    },
  };
}

it("believes of its own authority what it has pinned, and nothing that stands behind it", async () => {
  const { folder, paste: pasteThere } = await machineWith({
    curl: `case "$*" in *ca.pem*) cat "$TMPDIR/shown" ;; *) echo "echo the script ran" ;; esac`,
  });
  const paste = async (shown: string) => {
    await Deno.writeTextFile(`${folder}/shown`, shown);
    return await pasteThere(PEM);
  };
  expect(await paste(PEM)).toEqual([0, "the script ran"]);
  // What a decoder stops at, a reader of certificates passes over.
  const another = "!\n-----BEGIN CERTIFICATE-----\neHl6\n-----END CERTIFICATE-----\n";
  for (const shown of [PEM + another, another + PEM, PEM.replace("YWJj", "eHl6"), ""]) {
    expect(await paste(shown)).toEqual([1, "This is not the Boreas that made this line."]);
  }
});

it("is pasted where there is only wget too, and comes to nothing where that is busybox's or the script is cut", async () => {
  const gnu = `case "$*" in
    *--no-check-certificate*ca.pem) cat "$TMPDIR/shown" ;;
    *--ca-certificate=*install.sh) echo "echo ran through $https_proxy" ;;
    *) exit 5 ;;
  esac`;
  const machine = await machineWith({ wget: gnu });
  await Deno.writeTextFile(`${machine.folder}/shown`, PEM);
  expect(await machine.paste(PEM, { HTTPS_PROXY: "http://p:1" })).toEqual([0, "ran through http://p:1"]);
  const busybox = await machineWith({ wget: 'case $* in *--max-redirect*) exit 1 ;; esac; echo "echo ran"' });
  expect(await busybox.paste(PEM)).toEqual([1, ""]);
  expect(await busybox.paste(undefined)).toEqual([1, ""]);
  expect(await (await machineWith({ curl: "echo 'main() {'; exit 18" })).paste(undefined)).toEqual([2, ""]);
});

it("names itself as it was asked for where its public address is only this machine, and never by a host that is none", async () => {
  const local = await createTestApi(await createTestDatabase(), { agentFiles, publicUrl: "https://localhost:8080" });
  const asked = async (host: string) =>
    (await local.request("GET", "/install.sh", undefined, null, { host })).body.split("\n")[0];
  expect(await asked("boreas.lan:8443")).toBe("URL='https://boreas.lan:8443'");
  expect(await asked("x';reboot;'")).toBe("URL='https://localhost:8080'");
  const { status, body } = await (await createTestApi(await createTestDatabase())).request("GET", "/install.sh");
  expect([status, body.code]).toEqual([503, "install.not_built"]);
});
