/** The scripts that machines run, looked at before any machine runs them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fillScript } from "../../api/install/fill_script.ts";
import { readAgentFiles } from "../../compose/agent_files.ts";
import { buildAgent } from "../../scripts/build_agent.ts";
import { run } from "../helpers/docker.ts";
import { component, findProgram } from "../helpers/require_component.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

const root = join(import.meta.dirname!, "../..");
const own = (name: string) => join(root, "deploy/agent", name);
const shellcheck = component("shellcheck");

async function writeScript(): Promise<string> {
  await buildAgent(() => {});
  const { script, files, version } = (await readAgentFiles(root))!;
  const path = join(await temporaryFolder("script"), "install.sh");
  const facts = { address: "https://b.example", caCertificate: "PEM", caFingerprint: "ab12", version, files };
  await Deno.writeTextFile(path, fillScript(script, facts));
  return path;
}

describe.skipIf(!shellcheck.available)(`shellcheck${shellcheck.reason}`, () => {
  it("finds nothing in what machines run", async () => {
    const scripts = [await writeScript(), own("boreas-agent.sh"), own("boreas-supervise.sh")];
    expect(await run("shellcheck", ["--shell=sh", ...scripts])).toBe("");
  });
});

describe("the install script", () => {
  const shells = [["dash"], ["busybox", "ash"], ["bash", "--posix"]].filter(([name]) => findProgram(name!));

  it.each(shells)("is read by %s %s", async (...shell) => {
    const [command, ...args] = shell.filter(Boolean) as [string, ...string[]];
    await run(command, [...args, "-n", await writeScript()]);
  });

  it("has its whole work in functions, and calls one on its last line", async () => {
    const lines = (await Deno.readTextFile(await writeScript())).trimEnd().split("\n");
    expect(lines.at(-1)).toBe('main "$@"');
    let depth = 0;
    let inText = false;
    const outside = lines.slice(0, -1).filter((line) => {
      const before = depth > 0 || inText;
      if (/^\w+\(\) \{$/.test(line)) depth++;
      else if (depth > 0 && line === "}") depth--;
      if (depth === 0 && (line.match(/'/g)?.length ?? 0) % 2 === 1 && !line.startsWith("#")) inText = !inText;
      return !before && depth === 0 && !inText && line !== "" && !line.startsWith("#") && line !== "}";
    });
    // Besides, only values are set.
    for (const line of outside) expect(line).toMatch(/^(set -eu|[A-Z_]+=\S.*|\w+\(\) \{ .+ \}|.*')$/);
  });

  it("runs the agent with the permissions and the heap that a checkout runs it with", async () => {
    const { tasks } = JSON.parse(await readFile(join(root, "deno.json"), "utf8")) as { tasks: Record<string, string> };
    const flagsOf = (text: string) => text.match(/--(allow|v8)[\w-]*(=\S+)?/g)!.sort();
    expect(flagsOf(await readFile(own("boreas-agent.sh"), "utf8"))).toEqual(flagsOf(tasks.agent!));
  });
});
