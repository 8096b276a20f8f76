import { beforeAll, expect, it } from "vitest";
import { claimPolls } from "../db/repositories/claim_polls.ts";
import { listRepositories } from "../db/repositories/read_repositories.ts";
import { syncRepository } from "../db/repositories/sync_repository.ts";
import { createGitRemote } from "../tests/helpers/git_remote.ts";
import type { GitRemoteFixture } from "../tests/helpers/git_remote.ts";
import { createGitopsWorld, until } from "../tests/helpers/gitops_world.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { createPollLoop } from "./poll_loop.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
const file = () => ({
  "boreas.yaml": `apiVersion: boreas/v1\nkind: Application\nname: a${crypto.randomUUID().slice(0, 8)}\n`,
});

async function polled(prepare: (remote: GitRemoteFixture) => Promise<unknown>, url?: string) {
  const w = await createGitopsWorld(db);
  const remote = await createGitRemote();
  await prepare(remote);
  const id = await w.repository(url === undefined ? remote : { ...remote, url }, { pollSeconds: 3600 });
  const loop = createPollLoop(w.deps);
  /** Makes its turn due and waits until it was looked at and everything found was worked off. */
  const poll = async () => {
    const before = (await db.sql`select polled_at, reason from repository where id = ${id}`)[0]!;
    await db.sql`update repository set next_poll_at = boreas_now() where id = ${id}`;
    loop.start();
    loop.wake();
    const settled = async () => {
      const [now] = await db.sql`select polled_at, reason from repository where id = ${id}`;
      const open = (await w.deliveries(id)).filter((d) => d.status === "received" || d.status === "processing");
      return open.length === 0 && (now!.polledAt !== before.polledAt || now!.reason.code === "repository.failed");
    };
    // The last look may change nothing that is announced: stopping waits for it.
    await loop.stop();
    await until(w.deps.hints, settled);
  };
  return { ...w, remote, id, poll };
}

it("finds pushes that no webhook told of, once each", async () => {
  const w = await polled((remote) => remote.push(file()));
  await w.poll();
  await w.poll();
  const second = await w.remote.push({ x: "2" });
  await w.poll();
  const commits = (await w.versions()).map((v) => v.gitCommit);
  expect([commits.length, commits[1]]).toEqual([2, second]);
  expect((await w.deliveries(w.id)).map((d) => [d.source, d.deliveryKey])).toContainEqual([
    "poll",
    `poll:refs/heads/main:${second}`,
  ]);
});

it("and a webhook of the same push are one version", async () => {
  const w = await polled((remote) => remote.push(file()));
  const commit = await w.remote.git("rev-parse", "HEAD");
  await w.deliver(w.id, commit);
  await w.poll();
  expect((await w.versions()).length).toBe(1);
});

it("leaves tags from before the registration alone, and follows those after it", async () => {
  const w = await polled(async (remote) => {
    await remote.push(file());
    await remote.tag("v1");
  });
  await w.poll();
  const old = (await w.deliveries(w.id)).find((d) => d.ref === "refs/tags/v1")!;
  expect(old).toMatchObject({
    status: "ignored",
    reason: { text: expect.stringContaining("before the repository was registered") },
  });
  await w.remote.push({ x: "2" });
  await w.remote.tag("v2", { annotated: true });
  await w.remote.tag("nightly");
  await w.poll();
  expect((await w.versions()).map((v) => v.version)).toContain("v2");
  expect((await w.deliveries(w.id)).some((d) => d.ref === "refs/tags/nightly")).toBe(false);
});

it("says on the repository why it could not look", async () => {
  const w = await polled(() => Promise.resolve(), "/nowhere/at/all.git");
  await w.poll();
  const [repository] = await listRepositories(db, w.projectId, { limit: 1 });
  expect(repository!.reason.text).toContain("there is no such repository");
  expect(repository!.lastSyncedAt).toBeNull();
});

it("is asked for by a sync, which works the branch off whatever is known", async () => {
  const w = await polled((remote) => remote.push(file()));
  await syncRepository(w.deps, w.id, w.actor);
  await until(w.deps.hints, async () => (await w.deliveries(w.id)).every((d) => d.status === "processed"));
  expect((await w.versions()).length).toBe(1);
});

it("a turn is taken by one of many pollers", async () => {
  const w = await polled(() => Promise.resolve());
  const taken = (await Promise.all(Array.from({ length: 5 }, () => claimPolls(db, { most: 10, share: 10, held: {} }))))
    .flat();
  expect(taken.filter((r) => r.id === w.id).length).toBe(1);
});

it("a host that takes connections and never answers holds its share of the room, and others are looked at", async () => {
  const w = await createGitopsWorld(db);
  const remote = await createGitRemote();
  await remote.push(file());
  const stuck: string[] = [];
  for (let n = 0; n < 10; n++) {
    stuck.push(await w.repository({ ...remote, url: `https://tarpit.example/${n}.git` }, { pollSeconds: 3600 }));
  }
  await db.sql`update repository set next_poll_at = boreas_now() - interval '1 s' where id = any(${stuck}::uuid[])`;
  const good = await w.repository(remote, { pollSeconds: 3600 });
  await db.sql`update repository set next_poll_at = boreas_now() where id = ${good}`;
  const opened = Promise.withResolvers<Map<string, string>>();
  let held = 0;
  const lsRemote: typeof w.deps.git.lsRemote = (asked) => {
    if (!asked.url.includes("tarpit")) return w.deps.git.lsRemote(asked);
    held++;
    return opened.promise;
  };
  const loop = createPollLoop({ ...w.deps, git: { ...w.deps.git, lsRemote } });
  loop.start();
  const polledAt = async () => (await db.sql`select polled_at from repository where id = ${good}`)[0]!.polledAt;
  await expect.poll(polledAt).not.toBeNull();
  expect(held).toBe(3);
  opened.resolve(new Map());
  await expect.poll(() => held).toBe(10);
  await loop.stop();
});
