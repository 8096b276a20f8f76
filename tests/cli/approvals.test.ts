import { beforeAll, describe, expect, it } from "vitest";
import { runCli } from "../../cli/run_cli.ts";
import { createApprovalWorld } from "../helpers/approval_world.ts";
import type { ApprovalWorld, Person } from "../helpers/approval_world.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { createTestHost } from "./test_host.ts";

describe("approvals, from a command line", () => {
  let w: ApprovalWorld;
  let ann: Person, bob: Person;
  beforeAll(async () => {
    w = await createApprovalWorld(await createTestDatabase(), {
      approvals: { count: 1, roles: ["lead"], notAuthor: true },
    });
    await w.api.request("PUT", "/roles/lead", { base: "viewer" });
    ann = await w.person("ann", "deployer");
    bob = await w.person("bob", "lead");
  });
  const boreas = async (as: Person, ...argv: string[]) => {
    const host = createTestHost({ env: { BOREAS_URL: "http://boreas.test", BOREAS_TOKEN: as.tokens[0]! } });
    host.fetch = async (url, init) => await w.api.app.request(url, init);
    return { code: await runCli(argv, host), out: host.out(), err: host.err() };
  };

  it("are listed for whoever may give them, and given to a deployment and then to its step", async () => {
    const id = await w.deployment(ann, { type: "canary", steps: [{ target: 1 }, { approve: { roles: ["lead"] } }] });
    expect(await boreas(ann, "approvals")).toMatchObject({ code: 0, out: "Nothing waits for your approval.\n" });
    const list = await boreas(bob, "approvals");
    expect(list.out).toMatch(/the deployment +v\d+-\S+ +env-\S+ +1 of 1 +lead +.*may answer/);
    expect(await boreas(ann, "can-i", "approve", id)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^No: The one who made/),
    });
    expect(await boreas(bob, "can-i", "approve", id)).toMatchObject({ code: 0, out: expect.stringMatching(/^Yes: /) });
    expect(await boreas(bob, "can-i", "deploy")).toMatchObject({ code: 1 });

    const own = await boreas(ann, "approve", id);
    expect([own.code, own.err]).toEqual([1, expect.stringContaining("ask somebody else")]);
    expect((await boreas(bob, "approve", id, "--note", "Go.")).out).toContain(": running. Started by");
    const task = await w.untilAsked(ann, id);
    expect(JSON.parse((await boreas(bob, "approvals", "--json")).out)).toMatchObject([{
      id: task,
      taskId: task,
      missing: 1,
    }]);
    expect((await boreas(bob, "approve", id)).out).toContain("success. Approved by token:t0.");
    expect(await boreas(bob, "approve", task)).toMatchObject({
      code: 1,
      err: expect.stringContaining("waits for no approval"),
    });
  });

  it("are refused with a note", async () => {
    const id = await w.deployment(ann);
    expect((await boreas(bob, "reject", id, "--note", "Not today.")).out).toContain(
      "cancelled. Rejected by token:t0: Not today.",
    );
  });
});
