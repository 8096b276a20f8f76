/** A project of its own with real repositories, the real git and the real loops, for tests from a push to a deployment. */
import { soleLeader } from "../../scheduler/leadership.ts";
import { onTestFinished } from "vitest";
import { createEnvironment } from "../../db/environments/create_environment.ts";
import { createHints } from "../../db/hints.ts";
import type { Hints } from "../../db/hints.ts";
import { systemActor } from "../../db/database.ts";
import type { Actor } from "../../db/database.ts";
import { createRepository } from "../../db/repositories/create_repository.ts";
import type { NewRepository } from "../../db/repositories/create_repository.ts";
import { recordDeliveries } from "../../db/repositories/record_deliveries.ts";
import { createVault } from "../../db/secrets/vault.ts";
import { planStages } from "../../domain/strategy.ts";
import { createClock } from "../../host/clock.ts";
import { createGit } from "../../host/git.ts";
import type { GitopsDeps } from "../../scheduler/gitops/deps.ts";
import { createDeliveryLoop } from "../../scheduler/delivery_loop.ts";
import type { Delivery } from "../../protocol/http_api.ts";
import type { GitRemoteFixture } from "./git_remote.ts";
import type { TestDatabase } from "./test_database.ts";
import { SECRET } from "./webhook_samples.ts";

export interface GitopsWorld {
  deps: GitopsDeps;
  actor: Actor;
  projectId: string;
  environment(name: string, more?: { type?: string; policy?: unknown; status?: string }): Promise<string>;
  repository(remote: GitRemoteFixture, more?: Partial<NewRepository>): Promise<string>;
  /** Records a webhook's push and works it off; returns the delivery as it ended. */
  deliver(repositoryId: string, commit: string | null, ref?: string): Promise<Delivery>;
  deliveries(repositoryId: string): Promise<Delivery[]>;
  versions(): Promise<{ id: string; version: string; status: string; builds: string; gitCommit: string }[]>;
  deployments(): Promise<
    { version: string; environment: string; status: string; applications: string[]; autoStart: boolean }[]
  >;
  apps(
    version: string,
  ): Promise<
    Record<
      string,
      {
        changed: boolean;
        builds: string;
        artifacts: Record<string, { sha256?: string }>;
        bundle: { sha256: string } | null;
      }
    >
  >;
}

/** Waits until `check` is true, looking again whenever something was announced. */
export async function until(hints: Hints, check: () => Promise<boolean>): Promise<void> {
  for (;;) {
    let wake = () => {};
    const announced = new Promise<void>((resolve) => (wake = resolve));
    const off = [hints.on("events", wake), hints.on("builds", wake)];
    try {
      if (await check()) return;
      await announced;
    } finally {
      for (const end of off) end();
    }
  }
}

export async function createGitopsWorld(
  db: TestDatabase,
  more: Partial<GitopsDeps> = {},
  options: { loop: boolean; projectId?: string } = { loop: true },
): Promise<GitopsWorld> {
  const projectId = options.projectId ?? db.newId();
  await db.sql`insert into project (id, name) values (${projectId}, ${projectId}) on conflict do nothing`;
  const cacheDir = await Deno.makeTempDir({ prefix: "boreas-mirror-" });
  const hints = more.hints ?? createHints();
  const deps: GitopsDeps = {
    db,
    hints,
    vault: await createVault(new Uint8Array(32)),
    clock: createClock(),
    chance: () => 0,
    logger: { log: (level, message, context) => level === "ERROR" && console.error(message, context) },
    crashPoint: () => {},
    planners: { mock: planStages, pm: planStages },
    git: createGit({ gitPath: "/usr/bin/git", cacheDir, allowFile: true }),
    fetch: () => Promise.reject(new Error("no network in this test")),
    checkOutgoing: () => Promise.resolve([]),
    leadership: soleLeader,
    sweepSeconds: 60,
    ...more,
  };
  const loop = createDeliveryLoop(deps);
  if (options.loop) loop.start();
  onTestFinished(async () => {
    await loop.stop();
    await Deno.remove(cacheDir, { recursive: true });
  });
  const actor = { ...systemActor("ada", projectId), userId: null };
  const deliveries = async (repositoryId: string) =>
    await db.sql<Delivery[]>`select * from delivery where repository_id = ${repositoryId} order by id`;
  return {
    deps,
    actor,
    projectId,
    environment: (name, { type = "mock", policy = {}, status = "active" } = {}) =>
      createEnvironment(deps, { name, type, region: "", config: {}, policy, status }, actor),
    repository: (remote, over = {}) =>
      createRepository(deps, {
        url: remote.url,
        provider: "generic",
        branch: "main",
        tagPattern: "v*",
        configPaths: ["boreas.yaml"],
        webhookSecret: SECRET,
        credential: null,
        pollSeconds: 0,
        ...over,
      }, actor),
    async deliver(repositoryId, commit, ref = "refs/heads/main") {
      const [made] = await recordDeliveries(deps, { id: repositoryId, projectId }, "webhook", [
        { deliveryKey: crypto.randomUUID(), event: "push", ref, commit },
      ]);
      const read = async () => (await deliveries(repositoryId)).find((d) => d.id === made!.id)!;
      await until(hints, async () => !["received", "processing"].includes((await read()).status));
      return await read();
    },
    deliveries,
    versions: async () =>
      await db
        .sql`select id, version, status, builds, git_commit from version where project_id = ${projectId} order by id`,
    deployments: async () =>
      await db.sql`select v.version, e.name as environment, d.status, d.applications, d.auto_start
        from deployment d join version v on v.id = d.version_id join environment e on e.id = d.environment_id
        where d.project_id = ${projectId} order by d.id`,
    async apps(version) {
      const rows = await db.sql<
        {
          name: string;
          changed: boolean;
          builds: string;
          artifacts: Record<string, { sha256?: string }>;
          bundle: { sha256: string } | null;
        }[]
      >`
        select a.name, va.changed, va.builds, va.artifacts, va.bundle from version_app va
        join application a on a.id = va.application_id join version v on v.id = va.version_id
        where v.project_id = ${projectId} and v.version = ${version}`;
      return Object.fromEntries(rows.map(({ name, ...row }) => [name, row]));
    },
  };
}
