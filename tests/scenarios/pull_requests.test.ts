/** A pull request's hook, from its signed bytes to the comment on a real receiver that plays the provider's API. */
import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { planStages } from "../../domain/strategy.ts";
import { listStatuses } from "../../db/statuses/list_statuses.ts";
import { marksOf } from "../../scheduler/gitops/forges/tell_pull.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import { createGitopsWorld, until } from "../helpers/gitops_world.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { playForge } from "../helpers/play_forge.ts";
import type { PlayedProvider, Trouble } from "../helpers/play_forge.ts";
import { samplePull, SECRET } from "../helpers/webhook_samples.ts";
import type { SamplePull } from "../helpers/webhook_samples.ts";

const db = await createTestDatabase();
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(db, { planners: { mock: planStages } });
});

const config = (environment: string, level = "info") =>
  `apiVersion: boreas/v1
kind: Application
name: app-of-${environment}
config: { env: { LOG_LEVEL: ${level} }, secrets: [DB_PASSWORD] }
environments: { ${environment}: {} }
`;

async function begin(
  environment: string,
  more: { provider?: PlayedProvider; trouble?: Trouble[]; statusToken?: string | null } = {},
) {
  const { statusToken = "TOKEN", provider = "github", trouble = [] } = more;
  const world = await createGitopsWorld(db, { hints: api.deps.hints, vault: api.deps.vault, fetch, sweepSeconds: 1 }, {
    loop: true,
    projectId: DEFAULT_PROJECT,
  });
  await world.environment(environment);
  const remote = await createGitRemote();
  const forge = playForge(provider, remote.url.replace(/^\/|\.git$/g, ""));
  forge.comments.push({ id: 1, text: "Nice!", author: "ada" });
  forge.trouble.push(...trouble);
  const repositoryId = await world.repository(remote, { provider, apiUrl: forge.url, statusToken });
  await world.deliver(repositoryId, await remote.push({ "boreas.yaml": config(environment) }));

  /** Pushes the pull request's commit to where the provider shows it, and sends its hook. */
  async function open(files: Record<string, string>, pull: Partial<SamplePull> = {}) {
    const head = await remote.push(files, { branch: pull.isFork ? "main-of-fork" : "work" });
    const ref = provider === "gitlab" ? "merge-requests" : "pull";
    if (provider !== "bitbucket") await remote.git("push", "--quiet", "--force", "origin", `HEAD:refs/${ref}/7/head`);
    const hook = samplePull(provider, { commit: head, url: remote.url, ...pull });
    const answer = await api.app.request(`/webhook/${provider}/${repositoryId}`, { method: "POST", ...hook });
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
  const [mark] = await marksOf(world.deps.vault, repositoryId, 7);
  return { forge, mark, world, remote, repositoryId, open, stored };
}

describe("a pull request", () => {
  it.each<PlayedProvider>(["github", "gitlab", "gitea", "bitbucket"])(
    "at %s gets its plan as one comment, which is written anew for the next commit; nothing is recorded",
    async (provider) => {
      const name = `pr-${provider}`;
      const { forge, mark, repositoryId, open, stored } = await begin(name, { provider });
      const before = await stored();
      const first = await open({ "boreas.yaml": config(name, "debug") });
      expect([first.delivery.status, first.delivery.reason.code]).toEqual(["processed", "delivery.pull_planned"]);
      expect(first.delivery.reason.text).toBe("Planned pull request 7. Its comment was written.");
      expect(forge.comments).toHaveLength(2);
      expect(forge.comments[1]!.text.startsWith(mark)).toBe(true);
      expect(forge.comments[1]!.text).toContain(first.head.slice(0, 12));
      expect(forge.comments[1]!.text).toContain(`| \`app-of-${name}\` | create |`);

      const second = await open({ "boreas.yaml": config(name, "warn") }, { action: "synchronize" });
      expect(second.delivery.reason.text).toBe("Planned pull request 7. Its comment was written anew.");
      expect(forge.comments).toHaveLength(2);
      expect(forge.comments[1]!.text).toContain(second.head.slice(0, 12));
      expect(forge.comments[1]!.text).not.toContain(first.head.slice(0, 12));
      expect(forge.comments[0]!.text).toBe("Nice!");
      expect(await stored()).toBe(before);
      const wanted = await listStatuses(db, DEFAULT_PROJECT, { repositoryId, commit: second.head, limit: 10 });
      expect(wanted).toMatchObject([{ context: "boreas", state: "success", description: `Would deploy to ${name}.` }]);
    },
  );

  it("of a fork is planned only, and hears names, no values", async () => {
    const { forge, open } = await begin("pr-fork");
    const { delivery } = await open({ "boreas.yaml": config("pr-fork", "TELLTALE") }, { isFork: true });
    expect(delivery.status).toBe("processed");
    const { text: body } = forge.comments[1]!;
    expect(body).toContain("planned only");
    expect(body).not.toContain("TELLTALE");
  });

  it("with a mistake hears file, line and what was expected, and cannot write markup of its own", async () => {
    const { forge, mark, repositoryId, open } = await begin("pr-bad");
    const evil = "<img src=x onerror=alert(1)> @everyone `x`";
    const { head } = await open({ "boreas.yaml": `${config("pr-bad")}"${evil}": 1\n` });
    const { text: body } = forge.comments[1]!;
    expect(body).toContain("cannot be deployed");
    expect(body).toContain("boreas.yaml:6");
    const shown = body.slice(mark.length).replaceAll(/`[^`]*`/g, "");
    expect(shown).not.toMatch(/<img|@everyone/);
    const wanted = await listStatuses(db, DEFAULT_PROJECT, { repositoryId, commit: head, limit: 10 });
    const description = "Cannot be deployed: a mistake at boreas.yaml:6.";
    expect(wanted).toMatchObject([{ context: "boreas", state: "failure", description }]);
  });

  it("that names another repository's application hears that it is one, and not where that repository is", async () => {
    const other = await begin("pr-other");
    const { forge, open } = await begin("pr-prober");
    await open({ "boreas.yaml": config("pr-other") }, { isFork: true });
    const { text: body } = forge.comments[1]!;
    expect(body).toContain("app-of-pr-other belongs to another repository");
    expect(body).not.toContain(other.remote.url);
  });

  it("is told again after the provider was away, and says so when the token is refused", async () => {
    const away = await begin("pr-away", { trouble: [{ status: 503 }] });
    const { delivery } = await away.open({ "boreas.yaml": config("pr-away", "debug") });
    expect([delivery.status, delivery.attempts]).toEqual(["processed", 2]);
    expect(away.forge.comments).toHaveLength(2);

    const refused = await begin("pr-refused", { trouble: [{ status: 403 }] });
    const end = await refused.open({ "boreas.yaml": config("pr-refused", "debug") });
    expect(end.delivery.status).toBe("failed");
    expect(end.delivery.reason.text).toContain("answers 403");
    expect(end.delivery.reason.text).toContain("statusToken");
    expect(JSON.stringify(end.delivery)).not.toContain("TOKEN");
  });

  it("without a token is planned and not told; one that has moved on is passed over", async () => {
    const { forge, open } = await begin("pr-silent", { statusToken: null });
    const { delivery } = await open({ "boreas.yaml": config("pr-silent", "debug") });
    expect(delivery.reason.text).toContain("no statusToken");
    const old = await open({ "boreas.yaml": config("pr-silent", "warn") }, { commit: "a".repeat(40) });
    expect([old.delivery.status, forge.calls]).toEqual(["ignored", []]);
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
