import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = join(import.meta.dirname!, "../..");
const { tasks } = JSON.parse(await readFile(join(root, "deno.json"), "utf8")) as { tasks: Record<string, string> };

let folder = "";
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "boreas-permissions-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What the probe could do under the permissions of that process. */
async function probe(task: string, dataDir: string): Promise<string[]> {
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", `exec ${tasks[task]!.replace(/main\.ts \w+/, "tests/packaging/permission_probe.ts")}`],
    cwd: root,
    env: {
      BOREAS_DATA_DIR: dataDir,
      SOMEBODY_ELSES_SECRET: "secret",
      PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`,
    },
  }).output();
  const text = new TextDecoder().decode(stdout).trim();
  if (!text) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(text) as string[];
}

const OWN_WORK = [
  "keeps a database of its own",
  "makes a certificate",
  "runs git",
  "listens",
  "writes into its data folder",
];

describe("the permissions in deno.json", () => {
  it("never grant everything to a process of the product", () => {
    for (const name of ["start", "master", "agent", "boreas"]) {
      expect(tasks[name]).not.toMatch(/ -A\b|--allow-all/);
      expect(tasks[name]).toContain("--no-prompt");
    }
  });

  it("let the master do its own work and nothing beyond", async () => {
    expect(await probe("master", join(folder, "data"))).toEqual(OWN_WORK);
  });

  it("are enough for a data folder whose path is too long for a socket", async () => {
    expect(await probe("master", join(folder, "x".repeat(120)))).toEqual(OWN_WORK);
  });
});
