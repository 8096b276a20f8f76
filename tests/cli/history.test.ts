import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { COMMANDS, runCli } from "../../cli/run_cli.ts";
import { component } from "../helpers/require_component.ts";
import { SHELLS } from "../../cli/completion_script.ts";
import { environment, type FakeApi, list, startFakeApi, uuid, version } from "./fake_api.ts";
import { createTestHost, runAgainst } from "./test_host.ts";

let api: FakeApi;
beforeEach(() => {
  api = startFakeApi();
  api.on("GET /versions", () => list(version(1, "v1"), version(11, "v2")));
  api.on("GET /environments", () => list(environment(2, "staging"), environment(3, "prod")));
});
afterEach(() => api.stop());
const run = (...argv: string[]) => runAgainst(api.url, argv);
const commit = { commit: "c0ffee".padEnd(40, "0"), subject: "Mend it", author: "Ada", date: "2026-01-01T00:00:00Z" };
const name = (id: number, version: string) => ({ id: uuid(id), version, gitCommit: commit.commit });

describe("what a version is part of", () => {
  it("status --commit names what carries it", async () => {
    api.on("GET /commits/c0ffee0/deployments", () => ({
      commits: [commit],
      versions: [name(11, "v2")],
      running: [{
        applicationId: uuid(4),
        application: "order",
        environmentId: uuid(3),
        environment: "prod",
        target: "m1",
        versionId: uuid(11),
        version: "v2",
        health: "healthy",
      }],
      deployments: [],
    }));
    const { code, out } = await run("status", "--commit", "C0FFEE0");
    expect(code).toBe(0);
    expect(out).toContain("Mend it (Ada)");
    expect(out).toContain("Contained in v2.");
    expect(out).toMatch(/order +prod +m1 +v2 +healthy/);
  });

  it("changes shows commits and values, of one environment when asked", async () => {
    api.on(`GET /versions/${version(11, "v2").id}/changes`, ({ query }) => {
      expect(query.get("since")).toBe(version(1, "v1").id);
      const values = [{ path: "env.LEVEL", before: "info", after: "debug" }];
      const change = { application: "order", action: "changed", values, more: 0 };
      return {
        from: name(1, "v1"),
        to: name(11, "v2"),
        relation: "newer",
        commits: [commit],
        nextCommitsFrom: null,
        commitsMissing: null,
        applications: [{ ...change, environment: "prod" }, { ...change, environment: "staging" }],
      };
    });
    const { code, out } = await run("changes", "v1", "v2", "-e", "prod");
    expect(code).toBe(0);
    expect(out).toContain("v2 is newer than v1");
    expect(out).toMatch(/env\.LEVEL +info +debug/);
    expect(out).toContain("order in prod: changed");
    expect(out).not.toContain("staging");
  });

  it("plan --ref plans what is not merged", async () => {
    const repository = { id: uuid(5), url: "https://git.example.com/shop.git" };
    api.on("GET /repositories", () =>
      list({
        ...repository,
        provider: "github",
        branch: "main",
        tagPattern: null,
        configPaths: ["boreas.yaml"],
        pollSeconds: 300,
        hasCredential: false,
        webhookPath: "/webhook/github/x",
        reason: { code: "repository.ok", params: {}, text: "Ok." },
        lastSyncedAt: null,
        createdAt: "2026-01-01T00:00:00Z",
        updatedAt: "2026-01-01T00:00:00Z",
      }));
    api.on("POST /deployments/preview", () => ({
      applications: ["order"],
      summary: [{
        application: "order",
        environment: "prod",
        action: "update",
        strategy: "canary: 1 -> approve",
        targets: 4,
        hooks: ["preDeploy: ops/migrate.sh (once)"],
        gates: [],
        approvals: ["1 of lead"],
        changes: [{ path: "env.LEVEL", before: "info", after: "debug" }],
        note: null,
      }],
      tasks: [],
      warnings: [],
    }));
    const { code, out } = await run("plan", "--ref", "feature", "-e", "prod");
    expect(code).toBe(0);
    expect(out).toMatch(
      /order +update +canary: 1 -> approve +4 targets, preDeploy: ops\/migrate.sh \(once\), approval 1 of lead/,
    );
    expect(out).toMatch(/order +env\.LEVEL +info +debug/);
    expect(api.calls.at(-1)!.body).toEqual({
      repositoryId: repository.id,
      environmentId: environment(3, "prod").id,
      ref: "feature",
    });
    expect((await run("plan", "--ref", "feature")).code).toBe(2);
  });
});

describe("render --server", () => {
  it("shows the origin of each value in all four layers, hooks and strategy too", async () => {
    const file = `apiVersion: boreas/v1
kind: Application
name: order
config: { env: { LEVEL: info, A: base } }
strategy: { type: rolling, batch: 2 }
hooks: { preDeploy: { run: ops/a.sh, timeout: 1m } }
environments: { prod: { config: { env: { A: prod } }, hooks: { preDeploy: { run: ops/b.sh } } } }
`;
    const prod = environment(3, "prod", { config: { env: { SHARED: "all", A: "environment" } } });
    api.on("GET /environments", () => list(prod));
    const application = { id: uuid(4), name: "order", description: "", repository: null, repositoryId: null };
    const rest = { type: "microservice", config: {}, environments: [], createdAt: "2026-01-01T00:00:00Z" };
    api.on("GET /applications", () => list({ ...application, ...rest, updatedAt: "2026-01-01T00:00:00Z" }));
    const config = { config: { env: { LEVEL: "debug" } }, strategy: { type: "all" } };
    api.on(
      `GET /applications/${uuid(4)}/environments`,
      () => list({ environmentId: prod.id, environment: "prod", config }),
    );
    const host = createTestHost({
      env: { BOREAS_URL: api.url, BOREAS_TOKEN: "bor_test" },
      files: { "boreas.yaml": file },
    });
    expect(await runCli(["render", "-e", "prod", "--server", "--json"], host)).toBe(0);
    const [{ origins, config: merged }] = JSON.parse(host.out());
    expect(origins).toMatchObject({
      "config.env.SHARED": "environment",
      "config.env.A": "prod",
      "config.env.LEVEL": "binding",
      "strategy.type": "binding",
      "hooks.preDeploy.run": "prod",
      "hooks.preDeploy.timeout": "base",
    });
    expect(merged.strategy).toEqual({ type: "all" });
  });
});

describe("completion", () => {
  const complete = async (line: string[]): Promise<string[]> => {
    const { out: script } = await run("completion", "bash");
    const words = line.map((word) => `'${word}'`).join(" ");
    const probe = `${script}\nCOMP_WORDS=(${words}); COMP_CWORD=${
      line.length - 1
    }; _boreas; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = await new Deno.Command("bash", { args: ["--norc", "-euc", probe] }).output();
    expect(new TextDecoder().decode(output.stderr)).toBe("");
    return new TextDecoder().decode(output.stdout).trim().split("\n");
  };

  it("bash offers every command, its words and its flags", async () => {
    expect((await complete(["boreas", ""])).sort()).toEqual([...Object.keys(COMMANDS), "help"].sort());
    expect(await complete(["boreas", "dep"])).toEqual(["deploy"]);
    expect(await complete(["boreas", "version", "cr"])).toEqual(["create"]);
    expect(await complete(["boreas", "status", "--com"])).toEqual(["--commit"]);
    for (const [command, { flags }] of Object.entries(COMMANDS)) {
      const offered = await complete(["boreas", command, "--"]);
      expect(offered).toEqual(expect.arrayContaining(["--json", "--help", ...Object.keys(flags).map((f) => `--${f}`)]));
    }
  });

  it.each(SHELLS)("for %s names every command, and its script parses where that shell is there", async (shell) => {
    const { code, out } = await run("completion", shell);
    expect(code).toBe(0);
    for (const command of Object.keys(COMMANDS)) expect(out).toContain(command);
    const has = await new Deno.Command("sh", { args: ["-c", `command -v ${shell}`], stdout: "null" }).output();
    if (!has.success) return;
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, out);
    const parsed = await new Deno.Command(shell, { args: ["-n", file] }).output();
    await Deno.remove(file);
    expect(new TextDecoder().decode(parsed.stderr)).toBe("");
  });

  const fish = component("fish");
  it.skipIf(!fish.available)(
    `fish offers what may come next, and files only where one is taken${fish.reason}`,
    async () => {
      const { out: script } = await run("completion", "fish");
      const lines = [
        "dep",
        "triggers ",
        "triggers fire ",
        "help ver",
        "apps approve --st",
        "deploy --note /et",
        "apply -f /et",
      ];
      const ask = lines.map((line) => `echo '# ${line}'; complete -C 'boreas ${line}' | string replace -r '\\t.*' ''`);
      const output = await new Deno.Command("fish", { args: ["--no-config", "-c", [script, ...ask].join("\n")] })
        .output();
      expect(new TextDecoder().decode(output.stderr)).toBe("");
      const answers = new TextDecoder().decode(output.stdout).split("# ").slice(1).map((part) =>
        part.trim().split("\n")
      );
      expect(answers).toEqual([
        ["dep", "deploy"],
        ["triggers ", "disable", "enable", "fire", "list", "runs"],
        ["triggers fire"],
        ["help ver", "version"],
        ["apps approve --st", "--state"],
        ["deploy --note /et"],
        ["apply -f /et", "/etc/"],
      ]);
    },
  );

  const zsh = component("zsh");
  it.skipIf(!zsh.available)(`zsh is told a command's words, flags and short flags${zsh.reason}`, async () => {
    const { out: script } = await run("completion", "zsh");
    const probe = `compdef() { }
${script}
_arguments() { print -l -- "$@" }
words=(boreas triggers ''); CURRENT=3; _boreas`;
    const output = await new Deno.Command("zsh", { args: ["-f", "-c", probe] }).output();
    expect(new TextDecoder().decode(output.stderr)).toBe("");
    const told = new TextDecoder().decode(output.stdout).split("\n");
    expect(told).toContain("2:word:(list fire runs enable disable)");
    expect(told).toContain("(-w --watch)-w[fire: follow the deployment to its end]");
  });

  it("asks for a shell that it knows", async () => {
    expect((await run("completion", "tcsh")).code).toBe(2);
  });
});
