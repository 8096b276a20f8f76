/** What people get wrong in their first hour: each is answered with one sentence that says what to do, and nothing is lost. */
import { beforeAll, describe, expect, it } from "vitest";
import { createGitRemote } from "../helpers/git_remote.ts";
import { eventually, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";

let master: Master;
let admin: Record<string, string>;
let viewer: Record<string, string>;
let versionId: string;
let environmentId: string;

const signIn = async (username: string, password: string) => {
  const { text } = await master.raw("POST", "/api/v1/auth/login", { username, password });
  return { authorization: `Bearer ${JSON.parse(text).accessToken}` };
};
/** What is there, to compare before and after. */
const everything = async () =>
  JSON.stringify(
    await Promise.all(["/applications", "/environments", "/versions", "/deployments", "/repositories"].map((path) =>
      master.api("GET", path)
    )),
  );

beforeAll(async () => {
  master = await startMaster();
  admin = await signIn("admin", "correct-horse-battery");
  await master.api("POST", "/users", { username: "vera", password: "long-enough-password", role: "viewer" });
  viewer = await signIn("vera", "long-enough-password");
  environmentId = (await master.api("POST", "/environments", { name: "play", type: "mock" })).id;
  await master.api("POST", "/applications", { name: "user", config: { needs: ["order"] } });
  await master.api("POST", "/applications", { name: "order", config: { needs: ["user"] } });
  versionId = (await master.api("POST", "/versions", { version: "v1", appBuilds: { user: {}, order: {} } })).id;
});

describe("over REST", () => {
  const cases: [
    name: string,
    call: () => [string, string, unknown, Record<string, string>],
    status: number,
    sentence: RegExp,
  ][] = [
    [
      "an unknown key",
      () => ["POST", "/environments", { name: "x", type: "mock", regoin: "eu" }, admin],
      400,
      /regoin/,
    ],
    [
      "the address of an operator, which the old form had",
      () => ["POST", "/environments", { name: "x", type: "mock", config: { operatorApiUrl: "http://op" } }, admin],
      400,
      /operators dial the master/,
    ],
    ["no sign-in", () => ["GET", "/deployments", undefined, {}], 401, /sign in|token/i],
    ["a role that may not", () => ["POST", "/environments", { name: "x", type: "mock" }, viewer], 403, /viewer/],
    [
      "a body that is too large",
      () => ["POST", "/applications", { name: "x", description: "x".repeat(2 * 1024 * 1024) }, admin],
      413,
      /MiB|bytes/,
    ],
    ["what is no JSON", () => ["POST", "/environments", "{name:", admin], 400, /JSON/],
    [
      "an unknown id",
      () => ["GET", "/deployments/01a202e2-0000-7000-8000-000000000000", undefined, admin],
      404,
      /no deployment|deployment/i,
    ],
    ["an id that is none", () => ["GET", "/deployments/latest", undefined, admin], 400, /id/i],
    [
      "an order that goes round in a circle",
      () => ["POST", "/deployments", { versionId, environmentId }, admin],
      400,
      /circle: .*user.*order|circle: .*order.*user/,
    ],
    [
      "an application that the version does not have",
      () => ["POST", "/deployments", { versionId, environmentId, applications: ["payment"] }, admin],
      400,
      /payment/,
    ],
    [
      "a name that is taken",
      () => ["POST", "/environments", { name: "play", type: "mock" }, admin],
      409,
      /play|taken|already/,
    ],
    [
      "a strategy with steps that are none of its own",
      () => ["POST", "/deployments", {
        versionId,
        environmentId,
        applications: ["user"],
        strategy: { type: "blueGreen", steps: [{ target: 1 }] },
      }, admin],
      400,
      /blueGreen goes everywhere at once/,
    ],
  ];

  it.each(cases)("%s", async (_name, call, status, sentence) => {
    const before = await everything();
    const [method, path, body, headers] = call();
    const answer = await master.raw(method, `/api/v1${path}`, body, headers);
    const problem = JSON.parse(answer.text);
    expect(answer.status).toBe(status);
    expect(`${problem.detail} ${JSON.stringify(problem.errors ?? [])}`).toMatch(sentence);
    expect(problem).toMatchObject({ status, code: expect.stringMatching(/^[a-z_.]+$/), title: expect.any(String) });
    expect(await everything()).toBe(before);
  });
});

describe("at the start", () => {
  it("a taken port", async () => {
    await expect(startMaster({ BOREAS_PORT: new URL(master.url).port })).rejects.toThrow(
      /Port \d+ is taken by another process\. Stop it, or set BOREAS_PORT/,
    );
  });
  it.each([
    ["a weak secret key", { BOREAS_SECRET_KEY: "c2VjcmV0" }, /BOREAS_SECRET_KEY is too weak: .*openssl rand/],
    ["a database without a secret key", { DATABASE_URL: "postgres://localhost:1/x" }, /BOREAS_SECRET_KEY must be set/],
    ["a database that is not there", {
      DATABASE_URL: "postgres://127.0.0.1:1/x",
      BOREAS_SECRET_KEY: btoa("0123456789abcdefghijklmnopqrstuv"),
    }, /127\.0\.0\.1:1 could not be opened.*DATABASE_URL/],
    ["a number that is none", { BOREAS_LEASE_SECONDS: "soon" }, /BOREAS_LEASE_SECONDS must be a whole number/],
    ["a short password", { BOREAS_ADMIN_PASSWORD: "short" }, /at least 10 characters/],
    [
      "plain http beyond this machine",
      { BOREAS_PUBLIC_URL: "http://boreas.example.com", BOREAS_TLS: "off" },
      /cookies do not travel over plain http/,
    ],
  ])("%s", async (_name, env, sentence) => {
    await expect(startMaster(env)).rejects.toThrow(sentence);
  });
});

it("another key than the one the secrets were sealed with is refused at the start, and nothing is changed (S42)", async () => {
  const own = await startMaster();
  await own.api("PUT", "/secrets", { name: "DB_PASSWORD", value: "a-secret-value" });
  await own.kill("SIGTERM");
  const path = `${own.dataDir}/secret.key`;
  const right = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32)))));
  await expect(own.restart()).rejects.toThrow(/sealed with another BOREAS_SECRET_KEY.*Nothing was changed/);
  await Deno.writeTextFile(path, right);
  await own.restart();
  expect((await own.api("GET", "/secrets")).items.map((s: { name: string }) => s.name)).toEqual(["DB_PASSWORD"]);
});

describe("in a repository", () => {
  it("a misspelt key is a failed delivery with file and line, and the last good state stays", async () => {
    const remote = await createGitRemote();
    await remote.push({
      "boreas.yaml": "apiVersion: boreas/v1\nkind: Application\nname: shop\nenvironments: { play: {} }\n",
    });
    const { id } = await master.api("POST", "/repositories", {
      url: `file://${remote.url}`,
      provider: "generic",
      webhookSecret: "whsec_0123456789abcdef",
      pollSeconds: 1,
    });
    const versions = async () => (await master.api("GET", "/versions")).items as { version: string }[];
    await eventually(async () => (await versions()).some((v) => v.version.startsWith("main-")), "the first version");
    const before = await versions();
    await remote.push({ "boreas.yaml": "apiVersion: boreas/v1\nkind: Application\nname: shop\nruntim: {}\n" });
    const failed = await eventually(async () => {
      const { items } = await master.api("GET", `/repositories/${id}/deliveries`);
      return items.find((d: { status: string }) => d.status === "failed");
    }, "the failed delivery");
    expect(failed.problems).toEqual([{
      file: "boreas.yaml",
      line: 4,
      path: "runtim",
      message: "is not a known key; remove it or check its spelling",
    }]);
    expect(await versions()).toEqual(before);
  });
});
