import { beforeAll, describe, expect, it } from "vitest";
import { claimDelivery } from "../db/repositories/claim_delivery.ts";
import { finishDelivery } from "../db/repositories/finish_delivery.ts";
import { recordDeliveries } from "../db/repositories/record_deliveries.ts";
import { GitError } from "../domain/git.ts";
import type { Git } from "../domain/git.ts";
import { reason } from "../domain/reason.ts";
import { createGitRemote } from "../tests/helpers/git_remote.ts";
import { createGitopsWorld, until } from "../tests/helpers/gitops_world.ts";
import type { GitopsWorld } from "../tests/helpers/gitops_world.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { createDeliveryLoop } from "./delivery_loop.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
const BOREAS = "apiVersion: boreas/v1\nkind: Application\nname: NAME\nenvironments: { staging: {} }\n";
const file = () => ({ "boreas.yaml": BOREAS.replace("NAME", `a${crypto.randomUUID().slice(0, 8)}`) });
const ended = (w: GitopsWorld, id: string) => async () =>
  (await w.deliveries(id)).every((d) => d.status !== "received" && d.status !== "processing");

describe("the delivery loop", () => {
  it("gives every one of many pushes exactly one version, in order, also when they are told twice at once", async () => {
    const w = await createGitopsWorld(db);
    const remote = await createGitRemote();
    const id = await w.repository(remote);
    await w.environment("staging");
    const commits = [await remote.push(file())];
    for (let n = 0; n < 9; n++) commits.push(await remote.push({ n: String(n) }));
    const tell = (commit: string, key: string) =>
      recordDeliveries(w.deps, { id, projectId: w.projectId }, "webhook", [
        { deliveryKey: key, event: "push", ref: "refs/heads/main", commit },
      ]);
    await Promise.all(commits.flatMap((c, n) => [tell(c, `a${n}`), tell(c, `a${n}`), tell(c, `b${n}`)]));
    await until(w.deps.hints, ended(w, id));
    expect((await w.deliveries(id)).length).toBe(20);
    expect((await w.versions()).map((v) => v.gitCommit).sort()).toEqual([...commits].sort());
    expect((await w.deployments()).filter((d) => d.status === "pending").length).toBe(1);
  });

  it("tries again after transient trouble, gives up after five attempts, and says both", async () => {
    let failures = 0;
    const git = new Proxy({} as Git, {
      get: () => () => Promise.reject(new GitError("unavailable", `Git failed: away ${++failures}.`)),
    });
    const w = await createGitopsWorld(db, { git });
    const id = await w.repository(await createGitRemote());
    await recordDeliveries(w.deps, { id, projectId: w.projectId }, "webhook", [
      { deliveryKey: "k", event: "push", ref: "refs/heads/main", commit: null },
    ]);
    for (let attempt = 1; attempt < 5; attempt++) {
      await until(w.deps.hints, async () => (await w.deliveries(id))[0]!.reason.code === "delivery.retrying");
      const [delivery] = await w.deliveries(id);
      expect(delivery).toMatchObject({ status: "received", attempts: attempt });
      expect(delivery!.reason.text).toContain(`Attempt ${attempt} failed: Git failed: away`);
      await db.sql`update delivery set run_after = boreas_now(), reason = ${
        db.sql.json(reason("delivery.received") as never)
      }
        where repository_id = ${id}`;
      w.deps.hints.announce("deliveries");
    }
    await until(w.deps.hints, ended(w, id));
    const [delivery] = await w.deliveries(id);
    expect(delivery!.reason.text).toMatch(/Gave up after 5 attempts/);
    const [repository] = await db.sql`select reason from repository where id = ${id}`;
    expect(repository!.reason.code).toBe("repository.failed");
  });

  it.each([["gitops.fetched", 0], ["gitops.recorded", 1]])(
    "goes on where a crash at %s left off, with one version and one deployment",
    async (point, versions) => {
      const remote = await createGitRemote();
      let crash = true;
      const w = await createGitopsWorld(db, {
        crashPoint: (name) => {
          if (crash && name === point) throw new Error("crash");
        },
        logger: { log: () => {} },
      });
      const id = await w.repository(remote);
      await w.environment("staging");
      const commit = await remote.push(file());
      await recordDeliveries(w.deps, { id, projectId: w.projectId }, "webhook", [
        { deliveryKey: "k", event: "push", ref: "refs/heads/main", commit },
      ]);
      await until(w.deps.hints, async () => (await w.deliveries(id))[0]!.reason.code === "delivery.retrying");
      expect([(await w.versions()).length, (await w.deployments()).length]).toEqual([versions, 0]);
      crash = false;
      await db.sql`update delivery set run_after = boreas_now() where repository_id = ${id}`;
      w.deps.hints.announce("deliveries");
      await until(w.deps.hints, ended(w, id));
      expect((await w.deliveries(id))[0]!.reason.code).toBe("delivery.processed");
      expect([(await w.versions()).length, (await w.deployments()).length]).toEqual([1, 1]);
    },
  );

  it("starts and stops as often as it likes and leaves no subscription", async () => {
    const w = await createGitopsWorld(db);
    const loop = createDeliveryLoop(w.deps);
    loop.start();
    loop.start();
    await loop.stop();
    await loop.stop();
    loop.wake();
    await loop.stop();
  });
});

describe("a claim", () => {
  async function waiting(count: number) {
    const w = await createGitopsWorld(db, {}, { loop: false });
    const id = await w.repository(await createGitRemote());
    const world = { ...w, id };
    await recordDeliveries(
      w.deps,
      { id, projectId: w.projectId },
      "webhook",
      Array.from(
        { length: count },
        (_, n) => ({ deliveryKey: `k${n}`, event: "push", ref: "refs/heads/main", commit: null }),
      ),
    );
    return world;
  }
  const end = { status: "ignored" as const, reason: reason("delivery.ignored", { detail: "test" }) };

  it("is given to one of many, and to nobody while a repository is worked on", async () => {
    const w = await waiting(3);
    const claims = await Promise.all(Array.from({ length: 6 }, () => claimDelivery(db, 60)));
    const taken = claims.filter((c) => c !== undefined);
    expect(taken.length).toBe(1);
    expect(await claimDelivery(db, 60)).toBeUndefined();
    await finishDelivery(w.deps, taken[0]!, end);
    const next = await claimDelivery(db, 60);
    expect(next!.id > taken[0]!.id).toBe(true);
    await finishDelivery(w.deps, next!, end);
    await finishDelivery(w.deps, (await claimDelivery(db, 60))!, end);
  });

  it("that ran out belongs to the next one, and the late word of the first is refused", async () => {
    const w = await waiting(1);
    const first = (await claimDelivery(db, 0))!;
    const second = (await claimDelivery(db, 60))!;
    expect([second.id, second.attempts]).toEqual([first.id, first.attempts + 1]);
    expect(await finishDelivery(w.deps, first, end)).toBe(false);
    expect((await w.deliveries(w.id))[0]!.status).toBe("processing");
    expect(await finishDelivery(w.deps, second, end)).toBe(true);
  });
});
