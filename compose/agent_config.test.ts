import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../tests/helpers/temporary_folder.ts";
import { parseAgentFile, readAgentConfig } from "./agent_config.ts";

async function fileOf(text: string, mode = 0o600): Promise<string> {
  const path = join(await temporaryFolder("agent-config"), "agent.yaml");
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, mode);
  return path;
}
const envOf = (values: Record<string, string>) => (name: string) => values[name];

describe("the machine's own file", () => {
  it("stands for variables that are not set, and holds the policy", async () => {
    const path = await fileOf("url: https://boreas.example.com\nslots: 3\npolicy: { modes: [binary], maxSlots: 2 }\n");
    const { env, policy } = await readAgentConfig(envOf({ BOREAS_AGENT_CONFIG: path, BOREAS_SLOTS: "5" }));
    expect([env("BOREAS_URL"), env("BOREAS_SLOTS"), env("BOREAS_NAME")]).toEqual([
      "https://boreas.example.com",
      "5",
      undefined,
    ]);
    expect(policy).toEqual({ modes: ["binary"], maxSlots: 2 });
  });

  it.each([
    ["a key that does not exist", "url: https://x\nurll: y\n", /line 2: urll is no key of this file/],
    ["a misspelt part of the policy", "policy:\n  modes: [binary]\n  user: [web]\n", /line 3: policy\.user is no key/],
    ["a mode that does not exist", "policy:\n  modes: [podman]\n", /line 2: policy\.modes\.0/],
    ["a relative path", "policy:\n  paths: [data]\n", /must be an absolute path/],
    ["a path that leads upwards", "policy:\n  paths: [/data/../etc]\n", /must not lead upwards/],
    ["a list where a text belongs", "url: [a]\n", /line 1: url must be a text or a number/],
    ["no YAML", "policy: [\n", /is no YAML/],
  ])("is refused with its line when it has %s", (_, text, sentence) => {
    expect(() => parseAgentFile("/etc/boreas/agent.yaml", text)).toThrow(sentence);
  });

  it("is refused when others may change it, and when it was named and is not there", async () => {
    const open = await fileOf("slots: 1\n", 0o666);
    await expect(readAgentConfig(envOf({ BOREAS_AGENT_CONFIG: open }))).rejects.toThrow(/chmod go-w/);
    await expect(readAgentConfig(envOf({ BOREAS_AGENT_CONFIG: `${open}.gone` }))).rejects.toThrow(/There is no/);
  });
});
