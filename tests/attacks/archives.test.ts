/** S38: archives that mean harm, deployed as a stranger's artifact on a real machine over a release that runs. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPmFixture, operationOf, specOf } from "../helpers/pm_fixture.ts";
import type { PmFixture } from "../helpers/pm_fixture.ts";
import { tarEntry, tarOf } from "../helpers/tar_entries.ts";
import type { Entry } from "../helpers/tar_entries.ts";

let pm: PmFixture;
let pid: unknown;
let before: string[];
const outside = () => `${pm.folder}/outside`;

/** Every file below the test's folder but those of releases that are made properly. */
async function everything(folder = pm.folder): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(path, ...await everything(path));
    else found.push(path);
  }
  return found.sort();
}

beforeAll(async () => {
  pm = await createPmFixture();
  await Deno.writeTextFile(outside(), "untouched");
  const bin = await pm.freeze({ app: { text: "#!/bin/sh\nexec sleep 600\n", mode: 0o755 } });
  const good = specOf({ mode: "binary", artifact: "bin", exec: ["./app"] }, { artifacts: { bin } });
  const outcome = await pm.operator.run(operationOf(good), pm.context());
  pid = (outcome.details as { pid: number }).pid;
  before = await everything(`${pm.folder}/apps`);
});
afterAll(() => pm.close());

async function deploy(bytes: Uint8Array<ArrayBuffer>) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const path = `${pm.folder}/hostile`;
  await Deno.writeFile(path, bytes);
  const bin = { kind: "blob" as const, sha256, size: bytes.length };
  const spec = specOf({ mode: "binary", artifact: "bin", exec: ["./app"] }, { artifacts: { bin } });
  const operation = operationOf(spec, { version: "v2", versionId: "v2" });
  const outcome = await pm.operator.run(operation, pm.context({ fetchBlob: () => Promise.resolve(path) }));
  await Deno.remove(path);
  return outcome;
}
const repeated = (part: Uint8Array, times: number) => {
  const bytes = new Uint8Array(part.length * times);
  for (let at = 0; at < bytes.length; at += part.length) bytes.set(part, at);
  return bytes;
};

describe("S38: an archive that means harm is refused, nothing outside its folder is touched, and what runs runs on", () => {
  const climbing = "../".repeat(12);
  it.each<[string, () => Entry[] | Promise<Uint8Array<ArrayBuffer>>, string]>([
    [
      "a name that climbs out",
      () => [{ name: `${climbing}${outside().slice(1)}`, body: "x" }],
      "leads out of its folder",
    ],
    ["an absolute name", () => [{ name: outside(), body: "x" }], "is an absolute name"],
    [
      "a link out and a write through it",
      () => [{ name: "l", type: "2", link: "../../../../.." }, { name: "l/outside", body: "x" }],
      "is a folder and something else",
    ],
    ["an absolute link", () => [{ name: "l", type: "2", link: outside() }], "which is not inside its folder"],
    ["a hard link", () => [{ name: "h", type: "1", link: outside() }], "is a hard link, which is not allowed"],
    ["a device node", () => [{ name: "d", type: "3" }], "is a device, which is not allowed"],
    ["a program with set-uid", () => [{ name: "app", body: "x", mode: 0o4755 }], "has a set-id or sticky bit"],
    ["two entries of one name", () => [{ name: "app", body: "1" }, { name: "./app", body: "2" }], "twice"],
    [
      "a million entries",
      async () => new Uint8Array(gzipSync(repeated(tarEntry({ name: "./", type: "5" }), 1_000_000))),
      "it has more than 100000 entries",
    ],
    [
      "ten gigabytes",
      async () =>
        new Uint8Array(
          gzipSync(await tarOf([{ name: "x", type: "x", body: "20 size=10737418240\n" }, { name: "app" }])),
        ),
      "it holds more than 8589934592 bytes",
    ],
  ])("S38: %s", async (_what, make, sentence) => {
    const made = await make();
    const outcome = await deploy(Array.isArray(made) ? await tarOf(made) : made);
    expect(outcome).toMatchObject({ status: "failed", code: "artifact.unpack" });
    expect(outcome.message).toContain(sentence);
    expect(await Deno.readTextFile(outside())).toBe("untouched");
    expect(await everything(`${pm.folder}/apps`)).toEqual(before);
    expect(await Array.fromAsync(pm.operator.observe())).toMatchObject([
      { version: "v1", health: "healthy", differences: [], details: { pid } },
    ]);
  });
});
