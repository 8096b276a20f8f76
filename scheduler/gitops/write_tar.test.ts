import { join } from "node:path";
import { expect, it } from "vitest";
import { writeTar } from "./write_tar.ts";

const bytes = (content: string) => new TextEncoder().encode(content);

it("is read by tar: names long and foreign, modes, empty files, exact contents", async () => {
  const folder = await Deno.makeTempDir({ prefix: "boreas-tar-" });
  try {
    const long = `${"deep/".repeat(30)}file.txt`;
    const files = [
      { path: "b/run.sh", executable: true, content: bytes("#!/bin/sh\n") },
      { path: "a.txt", executable: false, content: bytes("x".repeat(1000)) },
      { path: "empty", executable: false, content: new Uint8Array() },
      { path: "grün/文件.txt", executable: false, content: bytes("ü") },
      { path: long, executable: false, content: bytes("long") },
    ];
    await Deno.writeFile(join(folder, "x.tar"), writeTar(files));
    const { success } = await new Deno.Command("tar", { args: ["-xf", "x.tar"], cwd: folder }).output();
    expect(success).toBe(true);
    for (const file of files) {
      expect(await Deno.readFile(join(folder, file.path))).toEqual(file.content);
      expect(((await Deno.stat(join(folder, file.path))).mode! & 0o100) !== 0).toBe(file.executable);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

it("is the same whatever the order of the files", () => {
  const [a, b] = ["a", "b"].map((path) => ({ path, executable: false, content: bytes(path) }));
  expect(writeTar([a!, b!])).toEqual(writeTar([b!, a!]));
  expect(writeTar([]).length).toBe(1024);
});
