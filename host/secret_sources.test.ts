import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../tests/helpers/temporary_folder.ts";
import { createSecretSources } from "./secret_sources.ts";

const outside = await temporaryFolder("outside");
const folder = await temporaryFolder("secrets");
const variables: Record<string, string> = { BOREAS_SECRET_VALUE_DB: "from the variable", BOREAS_SECRET_KEY: "never" };
const sources = createSecretSources({ env: (name) => variables[name], folder });
const write = (path: string, text: string) => Deno.writeTextFile(join(folder, path), text);

it("names variables with the prefix alone, and none of the master's own", () => {
  expect(sources.env("BOREAS_SECRET_VALUE_DB")).toBe("from the variable");
  for (const name of ["BOREAS_SECRET_KEY", "PATH", "BOREAS_SECRET_VALUE_", "BOREAS_SECRET_VALUE_A=B"]) {
    expect(sources.env(name), name).toBeUndefined();
  }
});

it("reads a file each time anew, without the line end that editors leave", async () => {
  expect(await sources.file("db")).toBeUndefined();
  await write("db", "first\n");
  expect(await sources.file("db")).toBe("first");
  await write("db", "two\nlines\r\n");
  expect(await sources.file("db")).toBe("two\nlines");
});

it("follows links below the folder, as mounted secrets are, and none that lead out of it", async () => {
  await Deno.mkdir(join(folder, "..data"), { recursive: true });
  await write("..data/token", "inside");
  await Deno.symlink("..data/token", join(folder, "token"));
  expect(await sources.file("token")).toBe("inside");
  await Deno.writeTextFile(join(outside, "shadow"), "CANARY");
  await Deno.symlink(join(outside, "shadow"), join(folder, "way-out"));
  await Deno.symlink(outside, join(folder, "door"));
  for (const path of ["way-out", "door/shadow", `../${outside.split("/").at(-1)}/shadow`]) {
    await expect(sources.file(path), path).rejects.toThrow(/leads out of BOREAS_SECRET_FILES/);
  }
});

it("reads no folder, nothing huge, and nothing at all without a folder to read from", async () => {
  await expect(sources.file("..data")).rejects.toThrow("is not a file");
  await write("huge", "x".repeat(70_000));
  await expect(sources.file("huge")).rejects.toThrow("larger than");
  const none = createSecretSources({ env: () => undefined, folder: null });
  await expect(none.file("db")).rejects.toThrow("BOREAS_SECRET_FILES");
});
