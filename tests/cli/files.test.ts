import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli } from "../../cli/run_cli.ts";
import { environment, type FakeApi, list, repository, startFakeApi, uuid, version } from "./fake_api.ts";
import { createTestHost, runAgainst } from "./test_host.ts";

const BOREAS_YAML = `apiVersion: boreas/v1
kind: Application
name: order-service
needs: [user-service]
config: { env: { LOG_LEVEL: info, "dotted.name": x } }
runtime: { binary: { artifact: code, exec: [./run] } }
health:
  - { tcp: { port: http } }
environments:
  prod:
    config: { env: { LOG_LEVEL: warn } }
    runtime: { script: { deploy: deploy.sh } }
---
apiVersion: boreas/v1
kind: Plan
mustInOrder: [user-service, order-service]
triggers:
  - { on: push, branch: main, environment: prod, start: auto }
  - { on: tag, match: "v*", environment: prod, start: approve }
`.replace('"dotted.name"', "DOTTED");

describe("plan and render, without any server", () => {
  const local = async (text: string, ...argv: string[]) => {
    const host = createTestHost({ files: { "boreas.yaml": text } });
    return { code: await runCli(argv, host), out: host.out(), err: host.err() };
  };

  it("plan says what the file means", async () => {
    const { code, out } = await local(BOREAS_YAML, "plan");
    expect(code).toBe(0);
    expect(out).toContain("order-service  binary   all       user-service  prod\n");
    expect(out).toContain("In order: user-service -> order-service\n");
    expect(out).toContain("A push to main deploys to prod at once.\nA tag v* deploys to prod once approved.\n");
  });

  it("plan names every mistake with its line", async () => {
    const broken = BOREAS_YAML.replace("needs:", "need:").replace("start: auto", "start: now");
    expect(await local(broken, "plan")).toEqual({
      code: 1,
      out: "",
      err: "boreas.yaml:4: need: is not a known key; remove it or check its spelling\n" +
        "boreas.yaml:18: triggers.0.start: expected one of auto, approve, manual\n",
    });
  });

  it("plan misses a file that is not there", async () => {
    expect(await local("", "plan", "other.yaml")).toMatchObject({
      code: 1,
      err: "There is no file other.yaml; name the one to read.\n",
    });
  });

  it("render says of every value whether it is the base's or the overlay's", async () => {
    const { code, out } = await local(BOREAS_YAML, "render", "-e", "prod");
    expect(code).toBe(0);
    expect(out).toMatch(/config\.env\.LOG_LEVEL +prod +warn\n/);
    expect(out).toMatch(/config\.env\.DOTTED +base +x\n/);
    // An overlay's runtime replaces the base's as a whole.
    expect(out).toMatch(/runtime\.script\.deploy +prod +deploy\.sh\n/);
    expect(out).not.toContain("runtime.binary");
    const [rendered] = JSON.parse((await local(BOREAS_YAML, "render", "-e", "staging", "--json")).out);
    expect(rendered.config.config.env.LOG_LEVEL).toBe("info");
    expect(rendered.origins["config.env.LOG_LEVEL"]).toBe("base");
  });
});

describe("with a server", () => {
  let api: FakeApi;
  beforeEach(() => {
    api = startFakeApi();
    api.on("GET /environments", () => list(environment(2, "staging", { type: "mock" })));
    api.on("GET /versions", () => list(version(1, "v1")));
  });
  afterEach(() => api.stop());
  const writes = () => api.calls.filter((c) => c.method !== "GET").map((c) => [`${c.method} ${c.path}`, c.body]);

  it("plan --version --environment shows the order in which it would go", async () => {
    const planned = (key: string, more: object) => ({
      key,
      parentKey: null,
      name: key,
      application: key,
      type: "deploy",
      dependsOn: [],
      target: null,
      ...more,
    });
    api.on("POST /deployments/preview", () => ({
      applications: ["user-service", "order-service"],
      tasks: [planned("user-service", {}), planned("order-service", { dependsOn: ["user-service"], target: "n1" })],
      warnings: ["n2 is not connected"],
    }));
    const { code, out } = await runAgainst(api.url, ["plan", "--version", "v1", "-e", "staging"]);
    expect(code).toBe(0);
    expect(out).toMatch(/order-service +deploy +n1 +user-service\n/);
    expect(out).toContain("warning: n2 is not connected\n");
    expect(writes()).toEqual([["POST /deployments/preview", { versionId: uuid(1), environmentId: uuid(2) }]]);
  });

  const file = `apiVersion: boreas/v1
kind: Environment
name: staging
type: mock
region: north
---
apiVersion: boreas/v1
kind: Environment
name: prod
type: pm
policy: { approvals: { count: 1 } }
---
apiVersion: boreas/v1
kind: Repository
url: https://git.example.com/shop.git
provider: gitea
webhookSecret: \${env.BOREAS_SHOP_SECRET}
`;
  const apply = (text: string, env: Record<string, string> = { BOREAS_SHOP_SECRET: "0123456789abcdef" }) =>
    runAgainst(api.url, ["apply", "-f", "x.yaml"], { files: { "x.yaml": text }, env });

  it("apply creates what is new and changes what is there", async () => {
    api.on("GET /repositories", () => list()).on("POST /repositories", () => repository);
    api.on("POST /environments", () => environment(3, "prod"));
    api.on(`PATCH /environments/${uuid(2)}`, () => environment(2, "staging"));
    expect(await apply(file)).toMatchObject({
      code: 0,
      out:
        "Environment staging updated\nEnvironment prod created\nRepository https://git.example.com/shop.git created\n",
    });
    expect(writes().map(([call]) => call)).toEqual([
      `PATCH /environments/${uuid(2)}`,
      "POST /environments",
      "POST /repositories",
    ]);
    expect(writes()[0]![1]).toEqual({ region: "north", config: {}, policy: {}, status: "active" });
    expect(writes()[2]![1]).toMatchObject({ provider: "gitea", webhookSecret: "0123456789abcdef" });
  });

  it("apply leaves a secret alone that the file does not name", async () => {
    api.on("GET /repositories", () => list(repository)).on(`PATCH /repositories/${uuid(5)}`, () => repository);
    const without = file.slice(file.lastIndexOf("---\n") + 4).replace(/webhookSecret.*\n/, "");
    expect((await apply(without)).code).toBe(0);
    expect(writes()[0]![1]).not.toHaveProperty("webhookSecret");
    expect(writes()[0]![1]).not.toHaveProperty("credential");
  });

  it.each([
    [
      "a kind that belongs elsewhere",
      file.replace("kind: Repository", "kind: Application"),
      "x.yaml:14: kind: expected kind: Environment or Repository",
    ],
    ["an unknown key", file.replace("region:", "regoin:"), "x.yaml:5: regoin: is not a known key"],
    [
      "a variable that is not set",
      file.replace("BOREAS_SHOP_SECRET", "BOREAS_NO"),
      "The file asks for ${env.BOREAS_NO}, which is not set",
    ],
    ["an empty file", "", "x.yaml holds no document."],
  ])("apply changes nothing for %s", async (_what, text, sentence) => {
    const { code, err } = await apply(text);
    expect(code).toBe(1);
    expect(err).toContain(sentence);
    expect(writes()).toEqual([]);
  });

  it("apply says that an environment keeps its type", async () => {
    expect((await apply(file.replace("type: mock", "type: pm"))).err).toBe(
      "The environment staging is of type mock and stays so; give the pm one another name.\n",
    );
  });
});
