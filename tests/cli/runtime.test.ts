import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { serveApi } from "../helpers/serve_api.ts";
import { createTestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { runAgainst } from "./test_host.ts";

it("uploads the runtime of another machine type to a real master, which lists it from then on", async () => {
  const api = await createTestApi(await createTestDatabase());
  const served = await serveApi(api);
  // As much of a program as is looked at, in characters of one byte each.
  const program = "\x7fELF" + "\x01".repeat(14) + "\u0000";
  const run = (argv: string[], files: Record<string, string> = {}) =>
    runAgainst(served.url.replace("/api/v1", ""), argv, { env: { BOREAS_TOKEN: api.tokens.admin }, files });
  expect((await run(["runtime"])).out).toContain("No runtime was uploaded");
  const refused = await run(["runtime", "upload", "./deno", "--arch", "arm64"], { "./deno": program });
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("not for arm64")]);
  const amd64 = "\x7fELF" + "\x01".repeat(14) + "\x3e\0 and so on";
  const kept = await run(["runtime", "upload", "./deno", "--arch", "amd64"], { "./deno": amd64 });
  expect([kept.code, kept.out]).toEqual([0, expect.stringContaining("type linux amd64 can be enrolled now")]);
  const { out } = await run(["runtime", "list"]);
  expect(out).toContain(createHash("sha256").update(amd64).digest("hex").slice(0, 16));
});

it("says what is missing before it sends anything", async () => {
  const words = async (...argv: string[]) => (await runAgainst("http://127.0.0.1:1", ["runtime", ...argv])).err;
  expect(await words("upload")).toContain("Say which file");
  expect(await words("upload", "./deno")).toContain("--arch takes amd64 or arm64");
  expect(await words("upload", "./deno", "--arch", "arm64")).toContain("There is no file ./deno");
  expect(await words("upload", "./deno", "--arch", "arm64", "--os", "plan9")).toContain("agents run on Linux");
  expect(await words("burn")).toContain('Unknown word "burn"');
});
