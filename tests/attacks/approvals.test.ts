/**
 * S45: nobody approves what is theirs, twice, too late, or without being asked. A refused word leaves no row. The same
 * for the approval of a whole deployment and for an `approve` step in the middle of one.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createApprovalWorld } from "../helpers/approval_world.ts";
import type { ApprovalWorld, Person } from "../helpers/approval_world.ts";
import { createTestDatabase } from "../helpers/test_database.ts";

const STEPS = {
  type: "canary",
  steps: [{ target: 1 }, { approve: { roles: ["lead"], count: 1, notAuthor: true } }, { target: "100%" }],
};
const AT_ONCE = 8;

describe.each([
  ["a deployment", { approvals: { count: 1, roles: ["lead"], notAuthor: true } }, undefined],
  ["a step of a plan", {}, STEPS],
])("S45: the approval of %s", (_, policy, strategy) => {
  let w: ApprovalWorld;
  let author: Person, lead: Person, bystander: Person;
  beforeAll(async () => {
    w = await createApprovalWorld(await createTestDatabase(), policy);
    await w.api.request("PUT", "/roles/lead", { base: "deployer" });
    author = await w.person("author", "lead", 2);
    lead = await w.person("lead", "lead", AT_ONCE);
    bystander = await w.person("bystander", "deployer");
  });

  /** One that waits, and the calls that answer it. */
  async function asked() {
    const id = await w.deployment(author, strategy);
    const path = strategy ? `/tasks/${await w.untilAsked(author, id)}` : `/deployments/${id}`;
    const answer = (token: string, decision = "approve") => w.api.request("POST", `${path}/${decision}`, {}, token);
    return { id, answer };
  }

  it("S45: is not the author's to give, also not by a token of theirs", async () => {
    const { id, answer } = await asked();
    for (const token of author.tokens) {
      expect(await answer(token)).toMatchObject({ status: 403, body: { code: "approval.own" } });
    }
    expect(await w.votes(id)).toEqual([]);
  });

  it("S45: takes the role that is asked, and no other however much it may call", async () => {
    const { id, answer } = await asked();
    expect(await answer(bystander.tokens[0]!)).toMatchObject({ status: 403, body: { code: "approval.role" } });
    expect(await answer(w.api.tokens.viewer)).toMatchObject({ status: 403, body: { code: "approval.role" } });
    expect(await answer(bystander.tokens[0]!, "reject")).toMatchObject({ status: 403 });
    expect(await w.votes(id)).toEqual([]);
  });

  it("S45: is one row for one person, however many of their tokens say it at once", async () => {
    const { id, answer } = await asked();
    const answers = await Promise.all(lead.tokens.map((token) => answer(token)));
    expect(answers.map((one) => one.status).sort()).toEqual([200, ...Array(AT_ONCE - 1).fill(409)]);
    expect(await w.votes(id)).toEqual([{ actor: expect.stringContaining("token:t"), decision: "approve" }]);
    const { body } = await w.api.request("GET", `/deployments/${id}`);
    expect(body.status).toBe("running");
  });

  it("S45: is over with the deployment: cancelled, rejected or finished, nobody's yes counts", async () => {
    const { id, answer } = await asked();
    expect((await w.api.request("POST", `/deployments/${id}/cancel`, {}, author.tokens[0]!)).status).toBe(200);
    expect(await answer(lead.tokens[0]!)).toMatchObject({ status: 409, body: { code: "approval.not_waiting" } });
    expect(await w.votes(id)).toEqual([]);

    const other = await asked();
    expect((await other.answer(lead.tokens[0]!, "reject")).status).toBe(200);
    expect(await other.answer(lead.tokens[1]!)).toMatchObject({ status: 409 });
    expect(await w.votes(other.id)).toMatchObject([{ decision: "reject" }]);
    const { body } = await w.api.request("GET", `/deployments/${other.id}`);
    expect(["cancelled", "failed", "rolling_back", "rolled_back"]).toContain(body.status);
  });

  it("S45: stays one of two when two are asked, and the second yes must be another person's", async () => {
    const two = strategy ? { ...STEPS, steps: [{ target: 1 }, { approve: { roles: ["lead"], count: 2 } }] } : undefined;
    const second = await w.person(`second${strategy ? "step" : ""}`, "lead");
    const id = await w.deployment(author, two);
    if (!two) await w.world.deps.db.sql`update deployment set approvals_needed = 2 where id = ${id}`;
    const path = two ? `/tasks/${await w.untilAsked(author, id)}` : `/deployments/${id}`;
    const approve = (token: string) => w.api.request("POST", `${path}/approve`, {}, token);
    expect((await approve(lead.tokens[0]!)).body.reason.text).toContain("Waiting for 1 of 2 approvals");
    expect(await approve(lead.tokens[1]!)).toMatchObject({ status: 409, body: { code: "approval.repeated" } });
    expect((await approve(second.tokens[0]!)).status).toBe(200);
    expect(await approve(lead.tokens[2]!)).toMatchObject({ status: 409, body: { code: "approval.not_waiting" } });
    expect((await w.votes(id)).length).toBe(2);
  });
});
