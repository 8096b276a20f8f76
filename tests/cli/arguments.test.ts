import { describe, expect, it } from "vitest";
import { nearest, parseArguments } from "../../cli/arguments.ts";
import { COMMANDS, runCli } from "../../cli/run_cli.ts";
import { createTestHost } from "./test_host.ts";

const specs = {
  watch: { type: "boolean", short: "w", help: "" },
  note: { type: "string", short: "n", help: "" },
  apps: { type: "list", help: "" },
} as const;

describe("a command line", () => {
  it("takes values after a space or an equals sign, letters, and lists by comma and repetition", () => {
    expect(parseArguments(["a", "-w", "--note=x=y", "--apps", "b,c", "--apps=d", "e"], specs)).toEqual({
      positionals: ["a", "e"],
      flags: { watch: true, note: "x=y", apps: ["b", "c", "d"] },
    });
  });

  it("takes everything after -- as it is", () => {
    expect(parseArguments(["--", "--watch", "-n"], specs)).toEqual({
      positionals: ["--watch", "-n"],
      flags: { watch: false },
    });
  });

  it.each([
    [["--wach"], "Unknown flag --wach; did you mean --watch?"],
    [["--zebra"], "Unknown flag --zebra; see --help for the ones there are."],
    [["--watch=yes"], "--watch takes no value."],
    [["--note"], "--note needs a value: --note VALUE."],
    [["-x"], "Unknown flag -x; see --help for the ones there are."],
    [["--constructor"], "Unknown flag --constructor; see --help for the ones there are."],
  ])("refuses %j with one sentence", (argv, sentence) => {
    expect(() => parseArguments(argv, specs)).toThrow(sentence);
  });

  it("guesses a word only when it is near", () => {
    expect(nearest("depoly", ["deploy", "status"])).toBe("deploy");
    expect(nearest("banana", ["deploy", "status"])).toBeUndefined();
  });
});

describe("boreas", () => {
  const run = async (...argv: string[]) => {
    const host = createTestHost();
    return { code: await runCli(argv, host), out: host.out(), err: host.err() };
  };

  it("lists its commands, and fails when it was given none", async () => {
    const { code, out } = await run("--help");
    expect(code).toBe(0);
    for (const name of Object.keys(COMMANDS)) expect(out).toContain(`  ${name}`);
    expect((await run()).code).toBe(2);
  });

  it.each(Object.keys(COMMANDS))("explains %s and all of its flags", async (name) => {
    const { code, out } = await run(name, "--help");
    expect(code).toBe(0);
    for (const flag of [...Object.keys(COMMANDS[name]!.flags), "json", "help"]) expect(out).toContain(`--${flag}`);
    expect(await run("help", name)).toEqual({ code, out, err: "" });
  });

  it.each([
    [["deplyo"], 'Unknown command "deplyo"; did you mean deploy?'],
    [["xyzzy"], 'Unknown command "xyzzy"; see boreas --help.'],
    [["toString"], 'Unknown command "toString"; see boreas --help.'],
    [["deploy", "v1"], "Something is missing: boreas deploy VERSION ENVIRONMENT [flags]"],
    [
      ["status", "a", "b"],
      '"b" is one word too many: boreas status [DEPLOYMENT | --app APPLICATION | --commit SHA] [flags]',
    ],
    [["apply"], "Say what to apply: boreas apply -f FILE."],
    [["plan", "--version", "v1"], "--version and --environment go together."],
    [["agents", "token"], "Say what to do with tokens: boreas agents token create."],
    [["agents", "cordon"], "Say which agent: boreas agents cordon NAME."],
    [["agents", "list", "--uses", "2"], "--uses goes with `boreas agents token create`."],
    [["version", "revert", "v1"], "Say why: boreas version revert v1 --reason TEXT."],
    [["can-i", "deplyo"], 'Unknown verb "deplyo"; did you mean deploy?'],
  ])("answers %j with one sentence and exit code 2", async (argv, sentence) => {
    expect(await run(...argv)).toEqual({ code: 2, out: "", err: `${sentence}\n` });
  });
});
