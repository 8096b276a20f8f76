/** People with roles, an environment that asks them, and a deployment that waits: over the real API. */
import { createToken } from "../../db/tokens/create_token.ts";
import type { Actor, Database } from "../../db/database.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { planStages } from "../../domain/strategy.ts";
import { makeSecretText, sha256 } from "../../api/secret_text.ts";
import { playAll } from "./play_tasks.ts";
import { seedWorld } from "./seed_release.ts";
import type { World } from "./seed_release.ts";
import { createTestApi } from "./test_api.ts";
import type { TestApi } from "./test_api.ts";
import type { TestDatabase } from "./test_database.ts";

export interface Person {
  name: string;
  userId: string;
  /** API tokens of theirs: several act for one person. */
  tokens: string[];
}
export interface ApprovalWorld {
  api: TestApi;
  world: World;
  person(name: string, role: string, tokens?: number): Promise<Person>;
  /** Makes a deployment, as this person, that waits for its approvals or asks for them on the way. */
  deployment(by: Person, strategy?: unknown): Promise<string>;
  /** Starts it and plays its machines until it asks. @returns the step that asks */
  untilAsked(by: Person, deploymentId: string): Promise<string>;
  votes(deploymentId: string): Promise<{ actor: string; decision: string }[]>;
  play(): Promise<unknown>;
}

export async function createApprovalWorld(db: TestDatabase, policy: Record<string, unknown>): Promise<ApprovalWorld> {
  const mark = db.newId().slice(-8);
  const app = `shop-${mark}`;
  const world = await seedWorld(db, {
    applications: { [app]: {} },
    policy,
    environmentConfig: { targets: ["m1", "m2", "m3"] },
  });
  const api = await createTestApi(await ownNames(db), { planners: { mock: planStages, pm: planStages } });
  const player = await world.agent(`player-${mark}`);
  let versions = 0;
  let last: string | undefined;
  return {
    api,
    world,
    async person(name, role, tokens = 1) {
      const { status, body } = await api.request("POST", "/users", {
        username: `${name}-${mark}`,
        password: "a long password",
        role,
      });
      if (status !== 201) throw new Error(JSON.stringify(body));
      const actor: Actor = { userId: body.id, name: body.username, role, ip: null, projectId: DEFAULT_PROJECT };
      const secrets: string[] = [];
      for (let i = 0; i < tokens; i++) {
        const secret = makeSecretText("bor_");
        await createToken(db, { userId: body.id, name: `t${i}`, role, hash: await sha256(secret) }, actor);
        secrets.push(secret);
      }
      return { name: body.username, userId: body.id, tokens: secrets };
    },
    async deployment(by, strategy) {
      // One at a time: an earlier one would hold the application.
      if (last) await api.request("POST", `/deployments/${last}/cancel`, {});
      await playAll(db, [player]);
      const versionId = await world.version(`v${++versions}-${mark}`);
      const { environmentId } = world;
      const made = await api.request("POST", "/deployments", {
        versionId,
        environmentId,
        ...(strategy ? { strategy } : {}),
      }, by.tokens[0]!);
      if (made.status !== 201) throw new Error(JSON.stringify(made.body));
      return last = made.body.id as string;
    },
    async untilAsked(by, deploymentId) {
      await api.request("POST", `/deployments/${deploymentId}/start`, {}, by.tokens[0]!);
      await playAll(db, [player]);
      const { body } = await api.request("GET", `/deployments/${deploymentId}`);
      const task = body.tasks.find((one: { type: string; step: string }) =>
        one.type === "approval" && one.step === "pending"
      );
      if (!task) throw new Error(`nothing asks: ${body.status}, ${body.reason.text}`);
      return task.id;
    },
    votes: async (deploymentId) => [
      ...await db.sql<{ actor: string; decision: string }[]>`
        select actor, decision from approval where deployment_id = ${deploymentId} order by id`,
    ],
    play: () => playAll(db, [player]),
  };
}

/** The three users of a test's API are made once for each database. */
const made = new WeakSet<Database>();
async function ownNames(db: TestDatabase): Promise<TestDatabase> {
  if (made.has(db)) await db.sql`delete from app_user where username in ('admin', 'deployer', 'viewer')`;
  made.add(db);
  return db;
}
