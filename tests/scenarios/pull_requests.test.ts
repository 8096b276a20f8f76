/** A pull request's hook, from its signed bytes to the comment on a real receiver that plays the provider's API. */
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createHmac } from "node:crypto";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { planStages } from "../../domain/strategy.ts";
import { markOf } from "../../scheduler/gitops/pull_comments.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import { createGitopsWorld, until } from "../helpers/gitops_world.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { SECRET } from "../helpers/webhook_samples.ts";

const db = await createTestDatabase();
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(db, { planners: { mock: planStages } });
});

interface Call {
  method: string;
  path: string;
  authorization: string | null;
  body: string;
}
/** Plays the API of a provider: keeps comments, and answers `trouble` first, once each. */
function playProvider(trouble: number[] = []) {
  const calls: Call[] = [];
  const comments: { id: number; body: string }[] = [{ id: 1, body: "Nice!" }];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const body = await request.text();
    calls.push({ method: request.method, path: pathname, authorization: request.headers.get("authorization"), body });
    const status = trouble.shift();
    if (status !== undefined) return new Response("no", { status });
    if (request.method === "GET") return Response.json(comments);
    const text = JSON.parse(body).body as string;
    const there = comments.find(({ id }) => pathname.endsWith(`/${id}`));
    if (there) there.body = text;
    else comments.push({ id: comments.length + 1, body: text });
    return Response.json({ id: comments.length }, { status: there ? 200 : 201 });
  });
  onTestFinished(() => server.shutdown());
  return { calls, comments, url: `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/api` };
}

const config = (environment: string, level = "info") =>
  `apiVersion: boreas/v1
kind: Application
name: app-of-${environment}
config: { env: { LOG_LEVEL: ${level} }, secrets: [DB_PASSWORD] }
environments: { ${environment}: {} }
`;

async function begin(environment: string, more: { trouble?: number[]; statusToken?: string | null } = {}) {
  const provider = playProvider(more.trouble);
  const world = await createGitopsWorld(db, { hints: api.deps.hints, vault: api.deps.vault, fetch, sweepSeconds: 1 }, {
    loop: true,
    projectId: DEFAULT_PROJECT,
  });
  await world.environment(environment);
  const remote = await createGitRemote();
  const { statusToken = "TOKEN" } = more;
  const repositoryId = await world.repository(remote, { provider: "github", apiUrl: provider.url, statusToken });
  await world.deliver(repositoryId, await remote.push({ "boreas.yaml": config(environment) }));

  /** Pushes the pull request's commit and sends its hook as GitHub does. */
  async function open(files: Record<string, string>, { action = "opened", isFork = false, commit = "" } = {}) {
    const head = await remote.push(files, { branch: "work" });
    await remote.git("push", "--quiet", "--force", "origin", "HEAD:refs/pull/7/head");
    const body = JSON.stringify({
      action,
      number: 7,
      pull_request: {
        number: 7,
        title: "Say more",
        html_url: "https://git.example.com/x/pull/7",
        base: { ref: "main", repo: { id: 1 } },
        head: { sha: commit || head, repo: { id: isFork ? 2 : 1 } },
      },
      repository: { clone_url: remote.url },
    });
    const signature = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
    const answer = await api.app.request(`/webhook/github/${repositoryId}`, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-github-event": "pull_request",
        "x-github-delivery": crypto.randomUUID(),
        "x-hub-signature-256": signature,
      },
    });
    const { deliveryId } = await answer.json();
    const read = async () => (await world.deliveries(repositoryId)).find((d) => d.id === deliveryId)!;
    await until(world.deps.hints, async () => !["received", "processing"].includes((await read()).status));
    return { delivery: await read(), head };
  }
  const stored = async () =>
    (await db.sql<{ n: number }[]>`select (select count(*) from version where repository_id = ${repositoryId})
      + (select count(*) from deployment d join version v on v.id = d.version_id where v.repository_id = ${repositoryId}) as n`)[
      0
    ]!
      .n;
  return { provider, world, remote, repositoryId, open, stored };
}

describe("a pull request", () => {
  it("gets its plan as one comment, which is written anew for the next commit; nothing is recorded", async () => {
    const { provider, repositoryId, open, stored } = await begin("pr-one");
    const before = await stored();
    const first = await open({ "boreas.yaml": config("pr-one", "debug") });
    expect([first.delivery.status, first.delivery.reason.code]).toEqual(["processed", "delivery.pull_planned"]);
    expect(first.delivery.reason.text).toBe("Planned pull request 7. Its comment was written.");
    expect(provider.comments).toHaveLength(2);
    expect(provider.comments[1]!.body.startsWith(markOf(repositoryId))).toBe(true);
    expect(provider.comments[1]!.body).toContain(first.head.slice(0, 12));
    expect(provider.comments[1]!.body).toContain("| `app-of-pr-one` | create |");
    expect(provider.calls.every(({ authorization }) => authorization === "Bearer TOKEN")).toBe(true);

    const second = await open({ "boreas.yaml": config("pr-one", "warn") }, { action: "synchronize" });
    expect(second.delivery.reason.text).toBe("Planned pull request 7. Its comment was written anew.");
    expect(provider.comments).toHaveLength(2);
    expect(provider.comments[1]!.body).toContain(second.head.slice(0, 12));
    expect(provider.comments[1]!.body).not.toContain(first.head.slice(0, 12));
    expect(provider.comments[0]!.body).toBe("Nice!");
    expect(await stored()).toBe(before);
  });

  it("of a fork is planned only, and hears names, no values", async () => {
    const { provider, open } = await begin("pr-fork");
    const { delivery } = await open({ "boreas.yaml": config("pr-fork", "TELLTALE") }, { isFork: true });
    expect(delivery.status).toBe("processed");
    const { body } = provider.comments[1]!;
    expect(body).toContain("planned only");
    expect(body).not.toContain("TELLTALE");
  });

  it("with a mistake hears file, line and what was expected, and cannot write markup of its own", async () => {
    const { provider, open } = await begin("pr-bad");
    const evil = "<img src=x onerror=alert(1)> @everyone `x`";
    await open({ "boreas.yaml": `${config("pr-bad")}"${evil}": 1\n` });
    const { body } = provider.comments[1]!;
    expect(body).toContain("cannot be deployed");
    expect(body).toContain("boreas.yaml:6");
    const shown = body.slice(markOf("").length).replaceAll(/`[^`]*`/g, "");
    expect(shown).not.toMatch(/<img|@everyone/);
  });

  it("that names another repository's application hears that it is one, and not where that repository is", async () => {
    const other = await begin("pr-other");
    const { provider, open } = await begin("pr-prober");
    await open({ "boreas.yaml": config("pr-other") }, { isFork: true });
    const { body } = provider.comments[1]!;
    expect(body).toContain("app-of-pr-other belongs to another repository");
    expect(body).not.toContain(other.remote.url);
  });

  it("is told again after the provider was away, and says so when the token is refused", async () => {
    const away = await begin("pr-away", { trouble: [503] });
    const { delivery } = await away.open({ "boreas.yaml": config("pr-away", "debug") });
    expect([delivery.status, delivery.attempts]).toEqual(["processed", 2]);
    expect(away.provider.comments).toHaveLength(2);

    const refused = await begin("pr-refused", { trouble: [403] });
    const end = await refused.open({ "boreas.yaml": config("pr-refused", "debug") });
    expect(end.delivery.status).toBe("failed");
    expect(end.delivery.reason.text).toContain("answers 403");
    expect(end.delivery.reason.text).toContain("statusToken");
    expect(JSON.stringify(end.delivery)).not.toContain("TOKEN");
  });

  it("without a token is planned and not told; one that has moved on is passed over", async () => {
    const { provider, open } = await begin("pr-silent", { statusToken: null });
    const { delivery } = await open({ "boreas.yaml": config("pr-silent", "debug") });
    expect(delivery.reason.text).toContain("no statusToken");
    const old = await open({ "boreas.yaml": config("pr-silent", "warn") }, { commit: "a".repeat(40) });
    expect([old.delivery.status, provider.calls]).toEqual(["ignored", []]);
  });
});

it("a status token is write-only, and does not follow the API to another address", async () => {
  const made = await api.request("POST", "/repositories", {
    url: "https://git.example.com/tok/en.git",
    provider: "github",
    webhookSecret: SECRET,
    statusToken: "CANARY",
    apiUrl: "https://api.example.com",
  });
  expect(made.body).toMatchObject({ hasStatusToken: true, apiUrl: "https://api.example.com", discovery: "create" });
  const moved = await api.request("PATCH", `/repositories/${made.body.id}`, { apiUrl: "https://evil.example.com" });
  expect([moved.status, moved.body.code]).toEqual([400, "repository.status_token"]);
  const both = await api.request("PATCH", `/repositories/${made.body.id}`, {
    apiUrl: "https://new.example.com",
    statusToken: "OTHER",
  });
  expect(both.status).toBe(200);
  for (const path of ["/repositories", `/repositories/${made.body.id}`]) {
    expect(JSON.stringify((await api.request("GET", path)).body)).not.toMatch(/CANARY|OTHER/);
  }
});
