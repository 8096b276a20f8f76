import { readFileSync } from "node:fs";
import fc from "../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { documentLayers, mergeLayers } from "./config/merge_overlay.ts";
import { configJsonSchema, parseConfigFile, sayProblem } from "./config_file.ts";
import { renderSpec } from "./render_spec.ts";

const problems = (text: string) => parseConfigFile("boreas.yaml", text).problems.map(sayProblem);
const app = (body: string) => `apiVersion: boreas/v1\nkind: Application\nname: a\n${body}`;

describe("a mistake is named with its line", () => {
  it.each([
    ["a misspelt key", app("runtim: {}"), "boreas.yaml:4: runtim: is not a known key; remove it or check its spelling"],
    [
      "a key deep inside",
      app("health:\n  - http:\n      port: http\n      pth: /"),
      "boreas.yaml:7: health.0.http.pth: is not a known key; remove it or check its spelling",
    ],
    [
      "two runtimes",
      app("runtime:\n  script: { deploy: a.sh }\n  binary: { artifact: x, exec: [x] }"),
      "boreas.yaml:4: runtime: exactly one of k8s, docker, binary or script",
    ],
    ["a value of the wrong kind", app("needs: user"), "boreas.yaml:4: needs: expected array"],
    ["what is no duration", app("timeout: 5 minutes"), "boreas.yaml:4: timeout: a duration such as 30s, 5m or 1h30m"],
    [
      "a wait whose end no calendar has",
      app("strategy: { type: rolling, wait: 999999999d }"),
      "boreas.yaml:4: strategy.wait: a duration of 366d at most",
    ],
    [
      "a path that leaves the repository",
      app("bundle: [../../etc]"),
      "boreas.yaml:4: bundle.0: a relative path that stays inside its folder",
    ],
    ["an environment variable of ours", app("config: { env: { BOREAS_TASK_ID: x } }"), /begin with BOREAS_/],
    ["an unknown kind", "apiVersion: boreas/v1\nkind: Aplication\nname: a", /kind/],
    ["a missing name", "apiVersion: boreas/v1\nkind: Application", /name/],
    ["a key that stands twice", app("needs: []\nneeds: []"), /boreas.yaml:5: .*unique/i],
    ["a key that no database can hold", app('"a\\0b": 1'), /holds a text with a NUL/],
    ["a text that none can hold", app('labels: { team: "\\uD83D" }'), /half a character/],
    ["broken YAML", app("needs: [a"), /boreas.yaml:\d+:/],
  ])("%s", (_name, text, said) => {
    const found = problems(text);
    expect(found.length).toBeGreaterThan(0);
    if (typeof said === "string") expect(found).toContain(said);
    else expect(found.join("\n")).toMatch(said);
  });

  it("collects every mistake of a file, and still reads its other documents", () => {
    const parsed = parseConfigFile(
      "f",
      `${app("nope: 1")}\n---\n${app("").replace("name: a", "name: b")}\n---\n${app("timeout: x")}`,
    );
    expect(parsed.problems.length).toBe(2);
    expect(parsed.documents.map((d) => d.name)).toEqual(["b"]);
  });

  it("drops keys that begin with x-, at every level", () => {
    expect(problems(app("x-note: 1\nconfig:\n  x-why: because\n  env: { A: b }"))).toEqual([]);
  });

  it("refuses what is too large, too many or made to explode", () => {
    expect(problems("#".repeat(1024 * 1024 + 1))[0]).toMatch(/larger than 1 MiB/);
    expect(problems("---\n{}\n".repeat(600))[0]).toMatch(/more than 500 documents/);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${
      "bcdefghij".split("").map((c, i) => `${c}: &${c} [${`*${"abcdefghi"[i]},`.repeat(9)}*${"abcdefghi"[i]}]`).join(
        "\n",
      )
    }`;
    expect(problems(bomb).length).toBeGreaterThan(0);
  });

  it("says so where something is nested too deeply", () => {
    expect(problems("[".repeat(50_000)).join()).toMatch(/nested too deeply/);
    expect(problems(`${"{a: ".repeat(3000)}1${"}".repeat(3000)}`).join()).toMatch(/nested too deeply/);
  });

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string().map(app)), (text) => void parseConfigFile("f", text)),
      { numRuns: 300 },
    );
  });
});

it("parses every example of the documentation, and those in examples", () => {
  const root = new URL("..", import.meta.url).pathname;
  const blocks = ["docs/boreas-yaml.md", "README.md"].flatMap((file) =>
    [...readFileSync(`${root}${file}`, "utf8").matchAll(/```yaml\n([\s\S]*?)```/g)].map((m) => ({ file, text: m[1]! }))
  );
  for (const file of ["examples/demo/boreas.yaml", "examples/docker/boreas.yaml"]) {
    blocks.push({ file, text: readFileSync(`${root}${file}`, "utf8") });
  }
  expect(blocks.length).toBeGreaterThan(4);
  for (const { file, text } of blocks) expect(parseConfigFile(file, text).problems.map(sayProblem)).toEqual([]);
});

it("publishes a JSON Schema that knows both kinds and refuses unknown keys", () => {
  const text = JSON.stringify(configJsonSchema());
  expect(text).toContain('"mustInOrder"');
  expect(text).toContain('"additionalProperties":false');
});

describe("an overlay", () => {
  const document = {
    apiVersion: "boreas/v1",
    kind: "Application",
    name: "a",
    runtime: { script: { deploy: "a.sh" } },
    config: { env: { A: "1", B: "2" } },
    needs: ["x"],
    environments: {
      prod: { config: { env: { B: "3" } }, needs: [], runtime: { binary: { artifact: "b", exec: ["b"] } } },
    },
  };

  it("merges objects, replaces lists, and replaces a runtime as a whole", () => {
    const { config, origins } = mergeLayers(documentLayers(document, "prod"));
    expect(config).toEqual({
      runtime: { binary: { artifact: "b", exec: ["b"] } },
      config: { env: { A: "1", B: "3" } },
      needs: [],
    });
    expect(origins["config.env.A"]).toBe("base");
    expect(origins["config.env.B"]).toBe("prod");
    expect(Object.keys(origins).some((k) => k.startsWith("runtime.script"))).toBe(false);
  });

  it("leaves an environment that it does not name as the base says", () => {
    expect(mergeLayers(documentLayers(document, "other")).config.runtime).toEqual({ script: { deploy: "a.sh" } });
  });
});

describe("renderSpec", () => {
  const input = {
    application: "a",
    environmentType: "pm" as const,
    version: "v1",
    commit: "abc",
    artifacts: {},
    bundle: null,
    build: {},
  };

  it("fills in version and commit, and leaves to the agent what it alone knows", () => {
    const spec = renderSpec({
      ...input,
      artifacts: { b: { kind: "blob", sha256: "0".repeat(64), size: 1 } },
      config: {
        runtime: { binary: { artifact: "b", exec: ["./b", "${version}", "${port.http}"] } },
        config: { env: { V: "${version}-${commit}-${os}" } },
      },
    });
    expect(spec.runtime).toMatchObject({ mode: "binary", exec: ["./b", "v1", "${port.http}"] });
    expect(spec.env).toEqual({ V: "v1-abc-${os}" });
  });

  it.each([
    ["nothing to run", {}, /does not say what to run/],
    [
      "an artifact that nobody declared",
      { runtime: { binary: { artifact: "b", exec: ["b"] } } },
      /"b", which is neither declared/,
    ],
    [
      "an image that nobody declared",
      { runtime: { docker: { image: "i" } } },
      /the image "i", which is neither declared/,
    ],
    ["a cluster's runtime", { runtime: { k8s: { renderer: "manifests" as const } } }, /use docker, binary or script/],
    [
      "a proxy without a port of its own",
      { runtime: { binary: { artifact: "b", exec: ["./b"] } }, route: { mode: "proxy" as const } },
      /needs `listen`/,
    ],
    [
      "a proxy that leads nowhere",
      { runtime: { binary: { artifact: "b", exec: ["./b"] } }, route: { mode: "proxy" as const, listen: 80 } },
      /leads to the port http, which its runtime does not name/,
    ],
    [
      "a load balancer without its scripts",
      { runtime: { binary: { artifact: "b", exec: ["./b"] } }, route: { mode: "hooks" as const, drain: "30s" } },
      /needs the paths of two scripts/,
    ],
    [
      "a route of scripts",
      { runtime: { script: { deploy: "a.sh" } }, route: { mode: "proxy" as const, listen: 80 } },
      /its scripts decide themselves/,
    ],
  ])("refuses %s, and says what to write", (_name, config, said) => {
    const artifacts: typeof input.artifacts = "route" in config
      ? { b: { kind: "blob" as const, sha256: "0".repeat(64), size: 1 } }
      : {};
    expect(() => renderSpec({ ...input, artifacts, config })).toThrow(said);
  });

  it("plays the mock script in a mock environment, whatever the runtime", () => {
    const spec = renderSpec({
      ...input,
      environmentType: "mock",
      config: { runtime: { docker: { image: "i" } }, mock: { hang: true } },
    });
    expect(spec.runtime).toEqual({ mode: "mock", script: { hang: true } });
  });
});
