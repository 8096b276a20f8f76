import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expireApprovals } from "../../db/approvals/expire_approvals.ts";
import { makeApprovalLinks } from "../../db/approvals/make_links.ts";
import { createToken } from "../../db/tokens/create_token.ts";
import { createApprovalWorld } from "../../tests/helpers/approval_world.ts";
import type { ApprovalWorld, Person } from "../../tests/helpers/approval_world.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { makeSecretText, sha256 } from "../secret_text.ts";

let db: TestDatabase;
let w: ApprovalWorld;
let ann: Person, bob: Person, cleo: Person;
beforeAll(async () => {
  db = await createTestDatabase();
  w = await createApprovalWorld(db, {
    approvals: { count: 1, roles: ["lead"], notAuthor: true, expires: "4h" },
  });
  await w.api.request("PUT", "/roles/lead", { base: "viewer" });
  ann = await w.person("ann", "deployer");
  bob = await w.person("bob", "lead");
  cleo = await w.person("cleo", "lead");
});
const as = (person: Person) => person.tokens[0]!;
const read = async (id: string) => (await w.api.request("GET", `/deployments/${id}`)).body;
const waiting = async (person: Person, query = "") =>
  (await w.api.request("GET", `/approvals${query}`, undefined, as(person))).body.items;
const audited = async (action: string) => [
  ...await db.sql<{ actor: string; detail: Record<string, unknown> }[]>`
    select actor, detail from audit where action = ${action} order by sequence`,
];

describe("what waits for me", () => {
  it("is what my role may answer and I have not, with who has", async () => {
    const id = await w.deployment(ann);
    expect(await waiting(bob)).toMatchObject([{
      ...{ id, kind: "deployment", deploymentId: id, taskId: null, count: 1, missing: 1, roles: ["lead"] },
      ...{ notAuthor: true, mayVote: true, why: "", votes: [], createdBy: expect.stringContaining("token:") },
    }]);
    expect(await waiting(ann)).toEqual([]);
    expect(await waiting(ann, "?all=true")).toMatchObject([{
      id,
      mayVote: false,
      why: expect.stringContaining("ask somebody else"),
    }]);
    const { expiresAt, since } = (await waiting(bob))[0];
    expect(Date.parse(expiresAt) - Date.parse(since)).toBeLessThanOrEqual(4 * 3600_000);
    await w.api.request("POST", `/deployments/${id}/reject`, { note: "Not on a Friday." }, as(bob));
    expect(await waiting(cleo)).toEqual([]);
    expect((await read(id)).reason.text).toMatch(/^Rejected by token:t0: Not on a Friday.$/);
  });

  it("asks anew when the plan has changed, and says so", async () => {
    const id = await w.deployment(ann, { type: "rolling", batch: 1 });
    await db.sql`update deployment set approvals_needed = 2 where id = ${id}`;
    await w.api.request("POST", `/deployments/${id}/approve`, {}, as(bob));
    expect(await waiting(bob)).toEqual([]);
    await w.api.request("PATCH", `/deployments/${id}`, { strategy: { type: "rolling", batch: 2 } }, as(ann));
    expect((await read(id)).reason).toMatchObject({ code: "deployment.approvals_voided" });
    expect(await waiting(bob)).toMatchObject([{ id, missing: 2, votes: [{ decision: "approve", counts: false }] }]);
    expect(await audited("approval.void")).toMatchObject([{ detail: { votes: 1 } }]);
    await w.api.request("POST", `/deployments/${id}/approve`, {}, as(bob));
    await w.api.request("POST", `/deployments/${id}/approve`, {}, as(cleo));
    expect((await read(id)).status).toBe("running");
  });
});

describe("a step that asks", () => {
  const strategy = (approve: Record<string, unknown>) => ({
    type: "canary",
    steps: [{ target: 1 }, { approve: { roles: ["lead"], ...approve } }, { target: "50%", batch: 1 }, {
      target: "100%",
      batch: 1,
    }],
  });

  it("tells whom it waits for, keeps each word with its note, and lets the rest go on", async () => {
    const id = await w.deployment(ann, strategy({ count: 2 }));
    const started = await w.api.request("POST", `/deployments/${id}/approve`, {}, as(bob));
    expect([started.status, started.body.status]).toEqual([200, "running"]);
    const task = await w.untilAsked(ann, id);
    const { body: asked } = await w.api.request("GET", `/tasks/${task}`);
    expect(asked.reason.text).toBe("Waiting for 2 of 2 approvals by lead.");
    const first = await w.api.request("POST", `/tasks/${task}/approve`, { note: "Looks good." }, as(bob));
    expect(first.body.reason.text).toBe("Waiting for 1 of 2 approvals by lead.");
    expect((await w.api.request("POST", `/tasks/${task}/approve`, {}, as(cleo))).body.status).toBe("success");
    const { body } = await w.api.request("GET", `/tasks/${task}`);
    expect(body.votes).toMatchObject([
      { decision: "approve", note: "Looks good.", counts: true },
      { decision: "approve", note: "", counts: true },
    ]);
    await w.play();
    expect((await read(id)).status).toBe("completed");
  });

  it("asks the one who said no as well, when it is tried again", async () => {
    const id = await w.deployment(ann, { ...strategy({}), onFailure: { action: "pause" } });
    await w.api.request("POST", `/deployments/${id}/approve`, {}, as(bob));
    const task = await w.untilAsked(ann, id);
    await w.api.request("POST", `/tasks/${task}/reject`, { note: "Not yet." }, as(bob));
    expect((await read(id)).status).toBe("paused");
    expect((await w.api.request("POST", `/tasks/${task}/retry`, {}, as(ann))).status).toBe(200);
    expect(await waiting(bob)).toMatchObject([{ taskId: task, votes: [{ decision: "reject", counts: false }] }]);
    expect((await w.api.request("POST", `/tasks/${task}/approve`, {}, as(bob))).body.status).toBe("success");
  });

  it("is not ended by whoever skips or promotes", async () => {
    const id = await w.deployment(ann, strategy({}));
    await w.api.request("POST", `/deployments/${id}/approve`, {}, as(bob));
    const task = await w.untilAsked(ann, id);
    for (const call of [`/tasks/${task}/skip`, `/deployments/${id}/skip`, `/deployments/${id}/promote`]) {
      await w.api.request("POST", call, {}, as(ann));
      expect([call, (await w.api.request("GET", `/tasks/${task}`)).body.step]).toEqual([call, "pending"]);
    }
  });

  it("is rejected or approved when its time is over, as the step says", async () => {
    for (const [onExpire, status] of [["reject", "failed"], ["approve", "success"]]) {
      const id = await w.deployment(ann, strategy({ expires: "1h", onExpire }));
      await w.api.request("POST", `/deployments/${id}/approve`, {}, as(bob));
      const task = await w.untilAsked(ann, id);
      expect((await expireApprovals(w.world.deps)).nextInSeconds).toBeLessThanOrEqual(3600);
      await w.api.request("POST", `/deployments/${id}/pause`, {}, as(ann));
      await db.sql`update task set state_since = boreas_now() - interval '61 minutes' where id = ${task}`;
      expect((await expireApprovals(w.world.deps)).ended).toBe(0); // who holds a deployment has time to think
      await w.api.request("POST", `/deployments/${id}/resume`, {}, as(ann));
      expect((await expireApprovals(w.world.deps)).ended).toBe(1);
      const { body } = await w.api.request("GET", `/tasks/${task}`);
      expect([body.status, body.reason.code]).toEqual([status, expect.stringContaining("task.approval_expired")]);
      await w.play();
    }
  });
});

describe("a deployment's own approval", () => {
  it("expires into what the environment says", async () => {
    for (const [onExpire, expected] of [["reject", "cancelled"], ["approve", "running"]]) {
      const { environmentId } = w.world;
      const policy = { approvals: { count: 1, roles: ["lead"], notAuthor: true, expires: "4h", onExpire } };
      await w.api.request("PATCH", `/environments/${environmentId}`, { policy });
      const id = await w.deployment(ann);
      expect((await expireApprovals(w.world.deps)).ended).toBe(0);
      await db.sql`update deployment set approvals_since = boreas_now() - interval '5 hours' where id = ${id}`;
      expect((await expireApprovals(w.world.deps)).ended).toBe(1);
      expect((await read(id)).status).toBe(expected);
    }
    expect((await audited("deployment.approval_expired")).length).toBe(2);
  });
});

describe("a link that carries an answer", () => {
  let id: string;
  beforeEach(async () => void (id = await w.deployment(ann)));
  const make = async (body: Record<string, unknown> = {}, by: string = as(bob)) =>
    await w.api.request("POST", "/approvals/links", { deploymentId: id, ...body }, by);
  const open = (url: string) => w.api.request("GET", url, undefined, null);
  const press = (url: string, decision: string, note = "") =>
    w.api.request("POST", url, new URLSearchParams({ decision, note }).toString(), null, {
      "content-type": "application/x-www-form-urlencoded",
      "content-length": "100",
    });

  it("does nothing when it is fetched, and acts once when its button is pressed", async () => {
    const { status, body } = await make();
    expect(status).toBe(201);
    expect(body.url).toMatch(/^http:\/\/localhost:8080\/approve\?link=[0-9a-f-]{36}\.[\w-]{43}$/);
    for (let i = 0; i < 3; i++) {
      const page = await open(body.url);
      expect(page.status).toBe(200);
      expect(page.body).toMatch(new RegExp(`You answer as</dt>\\s*<dd><b>${bob.name}`));
      expect(page.headers.get("cache-control")).toBe("no-store");
    }
    expect(await w.votes(id)).toEqual([]);
    const answers = await Promise.all([1, 2, 3].map(() => press(body.url, "approve", "From my phone.")));
    expect(answers.map((one) => one.status).sort()).toEqual([200, 409, 409]);
    expect(await w.votes(id)).toEqual([{ actor: bob.name, decision: "approve" }]);
    expect((await read(id)).status).toBe("running");
    expect(await open(body.url)).toMatchObject({ status: 410, body: expect.stringContaining("has been used") });
    expect((await audited("approval.link_used")).at(-1)).toMatchObject({
      actor: bob.name,
      detail: { decision: "approve" },
    });
  });

  it("is worded in Chinese for a browser that asks for it first", async () => {
    const { body } = await make();
    const inChinese = { "accept-language": "zh-CN,zh;q=0.9,en;q=0.8" };
    const page = await w.api.request("GET", body.url, undefined, null, inChinese);
    expect(page.body).toContain("您的身份");
    expect(page.body).toContain('<html lang="zh-CN">');
    expect(page.body).not.toMatch(/Waiting for|Approve|Reject|Commit/);
    const forged = await w.api.request("GET", "http://localhost/approve?link=x", undefined, null, inChinese);
    expect(forged.body).toContain("此链接无效");
    const style = await w.api.app.request(/href="(\/approve\.css)"/.exec(page.body)![1]!);
    expect([style.status, style.headers.get("content-type")]).toEqual([200, "text/css; charset=utf-8"]);
  });

  it("says of a removal that it is one, wherever it is asked for", async () => {
    await db.sql`update deployment set removes = true where id = ${id}`;
    expect((await waiting(bob)).find((one: { id: string }) => one.id === id)).toMatchObject({ removes: true });
    const { body } = await make();
    const { applications, environment } = await read(id);
    const title = `<h1>Remove ${applications.join(", ")} from ${environment}</h1>`;
    expect((await open(body.url)).body).toContain(title);
    expect((await press(body.url, "reject")).body).toContain(
      `Remove ${applications.join(", ")} from ${environment}, as`,
    );
  });

  it("is dead when it is forged, expired, or the plan is another", async () => {
    const { body } = await make();
    const forged = body.url.slice(0, -2) + (body.url.endsWith("AA") ? "BB" : "AA");
    expect((await press(forged, "approve")).status).toBe(410);
    expect((await open("http://localhost/approve?link=nonsense")).status).toBe(410);
    await db.sql`update deployment set plan_hash = 'another' where id = ${id}`;
    expect(await press(body.url, "approve")).toMatchObject({
      status: 410,
      body: expect.stringContaining("plan has changed"),
    });
    const later = (await make()).body;
    await db.sql`update approval_link set expires_at = boreas_now() where id = ${later.id}`;
    expect((await press(later.url, "approve")).status).toBe(410);
    expect(await w.votes(id)).toEqual([]);
  });

  it("is made for oneself, by an admin for others, and never for whoever may not answer", async () => {
    expect(await make({}, as(ann))).toMatchObject({ status: 403, body: { code: "approval.own" } });
    expect(await make({ username: cleo.name })).toMatchObject({ status: 403, body: { code: "approval.link" } });
    expect(await make({ username: cleo.name }, w.api.tokens.admin)).toMatchObject({
      status: 201,
      body: { username: cleo.name },
    });
    expect(await make({ username: "nobody" }, w.api.tokens.admin)).toMatchObject({ status: 404 });
    expect((await audited("approval.link")).at(-1)).toMatchObject({ actor: "token:admin", detail: { for: cleo.name } });
    // Of a person who has lost the role since, it counts no more.
    const { body } = await make({}, as(cleo));
    await w.api.request("PATCH", `/users/${cleo.userId}`, { role: "viewer" });
    expect((await press(body.url, "approve")).status).toBe(403);
    await w.api.request("PATCH", `/users/${cleo.userId}`, { role: "lead" });
    expect(await w.votes(id)).toEqual([]);
  });

  it("is worth no more than the token that asks for it", async () => {
    const reader = makeSecretText("bor_");
    const token = { userId: bob.userId, name: "reader", role: "viewer", hash: await sha256(reader) };
    await createToken(db, token, w.api.actors.admin);
    expect(await make({}, reader)).toMatchObject({ status: 403, body: { code: "approval.role" } });
  });

  it("is made for everybody who may answer, when a message asks for that", async () => {
    const deps = { db, publicUrl: "https://boreas.example.com", key: w.api.deps.keys.blobTicket };
    const links = await makeApprovalLinks(deps, { deploymentId: id }, 3600, w.api.actors.admin);
    const names = links.map((one) => one.username);
    expect(names).toEqual(expect.arrayContaining(["admin", bob.name, cleo.name]));
    expect(names).not.toContain(ann.name);
  });
});

describe("roles that a team adds", () => {
  it("are given only where they exist, may call what their base may, and go when nobody has them", async () => {
    expect(await w.api.request("POST", "/users", { username: "zoe", password: "a long password", role: "incident" }))
      .toMatchObject({ status: 400, body: { code: "role.unknown" } });
    expect(await w.api.request("PUT", "/roles/admin", { base: "viewer" })).toMatchObject({ status: 409 });
    await w.api.request("PUT", "/roles/incident", { base: "deployer" });
    const zoe = await w.person("zoe", "incident");
    expect((await w.api.request("GET", "/auth/me", undefined, as(zoe))).body).toMatchObject({
      role: "incident",
      base: "deployer",
    });
    expect((await w.api.request("POST", "/environments", { name: "x", type: "mock" }, as(zoe))).status).toBe(403);
    expect((await w.api.request("POST", "/deployments/preview", {}, as(zoe))).status).toBe(400);
    expect((await w.api.request("DELETE", "/roles/incident")).body.code).toBe("role.in_use");
    // A token that was made while she had the role is worth its base at most, when she has it no more.
    await w.api.request("PATCH", `/users/${zoe.userId}`, { role: "viewer" });
    expect((await w.api.request("GET", "/auth/me", undefined, as(zoe))).body).toMatchObject({
      role: "viewer",
      base: "viewer",
    });
    expect((await w.api.request("DELETE", "/roles/incident")).status).toBe(204);
    expect((await w.api.request("GET", "/roles")).body.items.map((one: { name: string }) => one.name))
      .toEqual(["viewer", "deployer", "admin", "lead"]);
  });
});
