import { afterEach, beforeEach, expect, it } from "vitest";
import { environment, type FakeApi, list, problem, repository, startFakeApi, task, uuid, version } from "./fake_api.ts";
import { runAgainst } from "./test_host.ts";

let api: FakeApi;
beforeEach(() => {
  api = startFakeApi();
});
afterEach(() => api.stop());
const writes = () => api.calls.filter((c) => c.method !== "GET").map((c) => [`${c.method} ${c.path}`, c.body]);

it("agents are found by name, and a token is shown once with what to do with it", async () => {
  const agent = {
    id: uuid(6),
    name: "n1",
    kind: "agent",
    status: "connected",
    reason: { code: "agent.connected", params: {}, text: "Connected." },
    embedded: false,
    labels: { role: "order" },
    environments: [{ id: uuid(2), name: "staging" }],
    facts: {},
    versions: {},
    slots: 2,
    busySlots: 1,
    cordoned: false,
    lastSeenAt: null,
    createdAt: "2026-01-01T00:00:00Z",
  };
  api.on("GET /agents", () => list(agent)).on(`POST /agents/${uuid(6)}/cordon`, () => agent);
  api.on(`DELETE /agents/${uuid(6)}`, () => new Response(null, { status: 204 }));
  api.on("POST /enrollment-tokens", () => ({
    id: uuid(8),
    kind: "agent",
    usesLeft: 3,
    labels: {},
    environments: [],
    expiresAt: "2026-01-03T00:00:00Z",
    createdBy: "admin",
    createdAt: "2026-01-02T00:00:00Z",
    approveFirst: true,
    token: "bet_secret",
    line: "export BOREAS_TOKEN=bet_secret; curl -fsS https://b.example/api/v1/install.sh | sudo sh",
  }));
  expect((await runAgainst(api.url, ["agents"])).out).toMatch(/n1 +connected +1\/2 +staging +role=order +now\n/);
  expect((await runAgainst(api.url, ["agents", "cordon", "n1"])).out).toBe("n1 takes no new task.\n");
  const word = async (...words: string[]) => (await runAgainst(api.url, ["agents", ...words])).out;
  for (const act of ["approve", "rotate"]) api.on(`POST /agents/${uuid(6)}/${act}`, () => agent);
  expect(await word("approve", "n1")).toBe("n1 is approved and is given work.\n");
  expect(await word("rotate", "n1")).toContain("n1 makes new keys");
  const drain = { startedAt: "2026-01-01T00:00:00Z", drainedAt: null };
  api.on(`POST /agents/${uuid(6)}/drain`, () => ({ ...agent, cordoned: true, drain }));
  expect(await word("drain", "n1")).toContain("1 task left.\n");
  api.on(`GET /agents/${uuid(6)}`, () => ({ ...agent, busySlots: 0, drain }));
  const watched = await runAgainst(api.url, ["agents", "drain", "n1", "--watch"]);
  expect([watched.err, watched.out, watched.code]).toEqual(["n1: 1 task left.\n", "n1 is empty.\n", 0]);
  api.on(`PATCH /agents/${uuid(6)}`, () => ({ ...agent, labels: { zone: "a" } }));
  expect(await word("label", "n1", "zone=a", "role-")).toBe("n1 has zone=a.\n");
  expect(writes().at(-1)![1]).toEqual({ labels: { zone: "a" } });
  expect(await word("show", "n1")).toMatch(/^name +n1\n.*labels +role=order\n.*policy +allows everything/s);
  expect((await runAgainst(api.url, ["agents", "cordon", "n1", "n2"])).err).toContain('"n2" is one word too many');
  expect((await runAgainst(api.url, ["agents", "cordon", "n1", "--watch"])).err).toContain(
    "goes with `boreas agents drain`",
  );
  expect((await runAgainst(api.url, ["agents", "revoke", "n1"])).out).toBe("n1 is revoked.\n");
  expect((await runAgainst(api.url, ["agents", "cordon", "n2"])).err).toBe('No agent "n2"; did you mean n1?\n');
  const made = await runAgainst(api.url, [
    "agents",
    "token",
    "create",
    "--uses",
    "3",
    "--labels",
    "role=order,zone=a",
    "--environments",
    "staging",
    "--approve-first",
  ]);
  expect(made.out).toContain("\nexport BOREAS_TOKEN=bet_secret; curl");
  expect(made.out).toContain("Approve each one");
  expect(writes().at(-1)![1]).toEqual({
    kind: "agent",
    approveFirst: true,
    uses: 3,
    expiresIn: 3600,
    labels: { role: "order", zone: "a" },
    environments: ["staging"],
  });
  expect((await runAgainst(api.url, ["agents", "token", "create", "--uses", "none"])).code).toBe(2);
  expect((await runAgainst(api.url, ["agents", "token", "create", "--kind", "robot"])).err).toContain(
    '--kind takes agent or operator, not "robot".',
  );
});

it("version create says what CI built", async () => {
  api.on("POST /versions", () => version(4, "v4"));
  const made = await runAgainst(api.url, [
    "version",
    "create",
    "v4",
    "--commit",
    "abcdef1",
    "--image",
    "order=reg/order@sha256:1,user=reg/user:2",
    "--app",
    "web",
    "--builds",
    "builds.json",
  ], { files: { "builds.json": '{"order": {"artifact": "https://x"}, "pay": {"script": "go.sh"}}' } });
  expect(made).toMatchObject({ code: 0, err: "" });
  expect(writes()[0]![1]).toMatchObject({
    version: "v4",
    gitCommit: "abcdef1",
    appBuilds: {
      order: { image: "reg/order@sha256:1" },
      user: { image: "reg/user:2" },
      web: {},
      pay: { script: "go.sh", changed: true },
    },
  });
});

it("a list of nothing says so, and is an empty list as JSON", async () => {
  api.on("GET /repositories", () => list());
  expect((await runAgainst(api.url, ["repositories"])).out).toContain("No repository is registered yet");
  expect((await runAgainst(api.url, ["repositories", "list", "--json"])).out).toBe("[]\n");
});

it("repositories add takes its secret from the environment and never from the command line", async () => {
  api.on("POST /repositories", () => repository);
  const added = await runAgainst(api.url, ["repositories", "add", "https://gitea.example.com/shop.git"], {
    env: { BOREAS_WEBHOOK_SECRET: "0123456789abcdef" },
  });
  expect(added).toMatchObject({ code: 0, out: `Registered. Send its hooks to ${api.url}/webhook/gitea/5\n` });
  expect(writes()[0]![1]).toMatchObject({ provider: "gitea", webhookSecret: "0123456789abcdef" });
  expect((await runAgainst(api.url, ["repositories", "add", "x"], { input: "short" })).err).toContain(
    "at least 16 characters",
  );
});

it("repositories statuses lists what the provider was told of a commit, and tells one once more", async () => {
  const status = {
    ...{ id: uuid(9), repositoryId: uuid(5), commit: "4f1c0b7e5d2a9c8b3e6f7a1d0c9b8a7e6f5d4c3b", attempts: 1 },
    ...{ context: "boreas/prod", state: "failure", description: "v1 was rolled back.", status: "failed" },
    reason: { code: "notification.refused", params: {}, text: "Not sent: the statusToken is not taken." },
    ...{ createdAt: "2026-01-01T00:00:00Z", changedAt: "2026-01-01T00:00:00Z", sentAt: null },
  };
  api.on("GET /repositories", () => list(repository))
    .on(`GET /repositories/${uuid(5)}/statuses`, () => list(status))
    .on(`POST /repositories/${uuid(5)}/statuses/${uuid(9)}/resend`, () => ({ ...status, status: "waiting" }));
  const told = await runAgainst(api.url, ["repositories", "statuses", repository.url, "--commit", "4f1c"]);
  expect(told).toMatchObject({ code: 0, out: expect.stringMatching(/4f1c0b7e5d2a +boreas\/prod +failure +v1 was/) });
  const again = await runAgainst(api.url, ["repositories", "statuses", repository.url, "--resend", uuid(9)]);
  expect(again).toMatchObject({ code: 0, out: "boreas/prod of 4f1c0b7e5d2a is told once more.\n" });
  const odd = await runAgainst(api.url, ["repositories", "statuses", repository.url, "--commit", "main"]);
  expect(odd.err).toContain("first 4 digits");
});

it("apps hand-over gives an application, archived or not, to the repository that is named", async () => {
  const application = {
    ...{ id: uuid(4), name: "order", description: "", repository: "https://git.example.com/old.git", config: {} },
    ...{ repositoryId: uuid(8), type: "microservice", environments: [], archivedAt: "2026-01-01T00:00:00Z" },
    ...{ createdAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:00:00Z" },
  };
  api.on("GET /repositories", () => list(repository))
    .on("GET /applications", ({ query }) => query.get("state") === "archived" ? list(application) : list())
    .on(`POST /applications/${uuid(4)}/hand-over`, () => ({ ...application, repositoryId: uuid(5) }));
  const given = await runAgainst(api.url, ["apps", "hand-over", "order", "--to", repository.url]);
  expect(given).toMatchObject({ code: 0, out: expect.stringContaining(`order belongs to ${repository.url} now`) });
  expect(writes()).toEqual([[`POST /applications/${uuid(4)}/hand-over`, { repositoryId: uuid(5) }]]);
  expect((await runAgainst(api.url, ["apps", "hand-over", "order"])).err).toContain("--to URL");
});

it("can-i answers with its exit code, by the server's own table", async () => {
  api.on(
    "GET /auth/me",
    () => ({ id: uuid(7), username: "ada", role: "deployer", createdAt: "2026-01-01T00:00:00Z" }),
  );
  api.on("GET /openapi.json", () => ({
    paths: {
      "/api/v1/deployments": { post: { "x-boreas-role": "deployer" } },
      "/api/v1/users": { post: { "x-boreas-role": "admin" } },
    },
  }));
  expect(await runAgainst(api.url, ["can-i", "deploy"])).toMatchObject({
    code: 0,
    out: "Yes: as deployer you may.\n",
  });
  expect(await runAgainst(api.url, ["can-i", "POST", "/users"])).toMatchObject({
    code: 1,
    out: "No: it takes the role admin; ada is deployer.\n",
  });
  expect(await runAgainst(api.url, ["can-i", "GET /nothing"])).toMatchObject({
    code: 1,
    err: `${api.url} knows no call GET /nothing.\n`,
  });
});

it("a role that is too low is the server's refusal, word for word", async () => {
  api.on("GET /overview", () => problem(403, "forbidden", "It takes the role deployer."));
  expect(await runAgainst(api.url, ["status"])).toMatchObject({ code: 1, err: "It takes the role deployer.\n" });
});

it("status shows each part below its application", async () => {
  const id = uuid(900);
  const parent = task(1, "order-service", { status: "running" }, "1 of 2 parts done.");
  api.on(`GET /deployments/${id}`, () => ({
    ...environment(1, "x"),
    id,
    versionId: uuid(1),
    version: "v1",
    environmentId: uuid(2),
    environment: "staging",
    status: "running",
    reason: parent.reason,
    mustInOrder: [],
    applications: [],
    strategy: null,
    manualApproval: false,
    approvals: { count: 0, given: [] },
    createdBy: "ada",
    errorMessage: null,
    startedAt: null,
    completedAt: null,
    progress: {},
    tasks: [task(2, "n1", { type: "apply", parentId: parent.id, status: "success", agent: "n1" }), parent],
  }));
  const { out } = await runAgainst(api.url, ["status", id]);
  expect(out).toMatch(/order-service +deploy +running .*\n {2}n1 +apply +success +n1/);
});
