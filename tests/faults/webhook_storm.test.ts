/**
 * F38: a storm of signed pushes, and the master killed in the middle of it. What was answered with 2xx is there, is
 * worked off to its end, and every commit has exactly one version, however many deliveries told of it.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createGitRemote } from "../helpers/git_remote.ts";
import { eventually, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { standardHeaders } from "../helpers/webhook_samples.ts";
import { isThorough } from "./support/races.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PUSHES = isThorough() ? 500 : 150;
const COMMITS = 5;
const AT_ONCE = 25;
/** So many are answered before the master dies. */
const KILL_AFTER = isThorough() ? 180 : 55;

interface Push {
  id: string;
  path: string;
  repositoryId: string;
  commit: string;
}
interface Delivery {
  deliveryKey: string;
  status: string;
  commit: string;
  versionId: string | null;
  processedAt: string | null;
  reason: { text: string };
}

const application = (name: string, n: number) =>
  `apiVersion: boreas/v1\nkind: Application\nname: ${name}\nx-push: ${n}\n`;

describe("F38", () => {
  let master: Master;
  const repositories: { id: string; webhookPath: string; commits: string[] }[] = [];

  beforeAll(async () => {
    master = await startMaster({ BOREAS_LOG_LEVEL: "WARN" });
    for (const name of ["left", "right"]) {
      const remote = await createGitRemote();
      const commits: string[] = [];
      for (let n = 0; n < COMMITS; n++) commits.push(await remote.push({ "boreas.yaml": application(name, n) }));
      const made = await master.api("POST", "/repositories", {
        url: `file://${remote.url}`,
        provider: "generic",
        webhookSecret: SECRET,
        pollSeconds: 0,
      });
      repositories.push({ ...made, commits });
    }
  });

  /** @returns the status, or undefined when the connection broke before an answer */
  async function send({ id, path, commit }: Push): Promise<number | undefined> {
    const body = JSON.stringify({ ref: "refs/heads/main", commit });
    try {
      const answer = await master.raw("POST", path, body, standardHeaders(body, SECRET, id, new Date()));
      return answer.status;
    } catch (error: unknown) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      return undefined; // refused or cut: the sender knows nothing, and a real one would send again
    }
  }

  /** Sends them all, some at a time. */
  async function storm(pushes: readonly Push[], onAnswer: (push: Push, status: number | undefined) => void) {
    const waiting = [...pushes];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let push = waiting.shift(); push; push = waiting.shift()) onAnswer(push, await send(push));
    }));
  }

  async function deliveries(): Promise<Map<string, Delivery>> {
    const found = new Map<string, Delivery>();
    for (const { id } of repositories) {
      let cursor = "";
      do {
        const { items, nextCursor } = await master.api<{ items: Delivery[]; nextCursor: string | null }>(
          "GET",
          `/repositories/${id}/deliveries?limit=200&cursor=${cursor}`,
        );
        for (const item of items) found.set(item.deliveryKey, item);
        cursor = nextCursor ?? "";
      } while (cursor);
    }
    return found;
  }

  it(`loses none of ${PUSHES} pushes that were answered with 2xx when the master is killed amid them`, async () => {
    const pushes = Array.from({ length: PUSHES }, (_, n): Push => {
      const { id, webhookPath, commits } = repositories[n % 2]!;
      return { id: `push-${n}`, path: webhookPath, repositoryId: id, commit: commits[(n >> 1) % COMMITS]! };
    });
    const answered = new Set<string>();
    let killed: Promise<number> | undefined;
    await storm(pushes, ({ id }, status) => {
      if (status !== undefined) expect(status).toBe(202);
      if (status === 202) answered.add(id);
      if (answered.size === KILL_AFTER) killed ??= master.kill("SIGKILL");
    });
    await killed;
    expect(answered.size).toBeGreaterThanOrEqual(KILL_AFTER);
    expect(answered.size).toBeLessThan(PUSHES);

    await master.restart();
    const kept = await deliveries();
    expect([...answered].filter((id) => !kept.has(id))).toEqual([]);

    // Whoever heard nothing sends again; so does somebody who did hear, and that changes nothing.
    const repeated = [...answered].slice(0, 10);
    await storm(pushes.filter(({ id }) => !answered.has(id) || repeated.includes(id)), ({ id }, status) => {
      expect(status).toBe(kept.has(id) ? 200 : 202);
    });

    const ended = await eventually(
      async () => {
        const all = await deliveries();
        return [...all.values()].every((d) => d.processedAt !== null) && all;
      },
      "every delivery was worked off",
      200,
    );
    expect([...ended.values()].filter((d) => d.status !== "processed")).toEqual([]);
    expect([...ended.keys()].sort()).toEqual(pushes.map(({ id }) => id).sort());

    const { items: versions } = await master.api<{ items: { id: string; gitCommit: string }[] }>(
      "GET",
      "/versions?limit=200",
    );
    const commits = repositories.flatMap((r) => r.commits);
    expect(versions.map((v) => v.gitCommit).sort()).toEqual([...commits].sort());
    const versionOf = new Map(versions.map((v) => [v.gitCommit, v.id]));
    for (const delivery of ended.values()) expect(delivery.versionId).toBe(versionOf.get(delivery.commit));
  }, 300_000);
});
