/** A small world to deploy in, made by SQL: applications, an environment, agents, versions. */
import { freezeDocument } from "../../db/blobs/freeze_document.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import type { Actor } from "../../db/database.ts";
import { createHints } from "../../db/hints.ts";
import type { DeploymentDeps } from "../../db/deployments/load_plan.ts";
import { reason } from "../../domain/reason.ts";
import { planStages } from "../../domain/strategy.ts";
import type { TestDatabase } from "./test_database.ts";

export interface World {
  deps: DeploymentDeps;
  actor: Actor;
  environmentId: string;
  applications: Record<string, string>;
  /** Records a version in which these applications changed. */
  version(name: string, options?: { changed?: string[]; builds?: "ready" | "waiting" }): Promise<string>;
  agent(name: string, labels?: Record<string, string>): Promise<string>;
}
export interface WorldOptions {
  /** application -> config, as in boreas.yaml */
  applications: Record<string, Record<string, unknown>>;
  type?: "mock" | "pm";
  environmentConfig?: Record<string, unknown>;
  policy?: Record<string, unknown>;
}

export async function seedWorld(db: TestDatabase, options: WorldOptions): Promise<World> {
  const { sql } = db;
  const json = (value: unknown) => sql.json(value as never);
  const userId = db.newId();
  await sql`insert into app_user (id, username, password_hash) values (${userId}, ${`user-${userId}`}, 'none')`;
  const environmentId = db.newId();
  await sql`insert into environment (id, project_id, name, type, config, policy, status, created_by)
    values (${environmentId}, ${DEFAULT_PROJECT}, ${`env-${environmentId.slice(-8)}`}, ${options.type ?? "mock"}, ${
    json(options.environmentConfig ?? {})
  }, ${json(options.policy ?? {})}, 'active', 'test')`;
  const applications: Record<string, string> = {};
  for (const name of Object.keys(options.applications)) {
    applications[name] = db.newId();
    await sql`insert into application (id, project_id, name, type, created_by) values (${
      applications[name]
    }, ${DEFAULT_PROJECT}, ${name}, 'microservice', 'test')`;
  }
  const actor: Actor = { userId, name: "tester", role: "admin", ip: null, projectId: DEFAULT_PROJECT };
  return {
    deps: { db, hints: createHints(), planners: { mock: planStages, pm: planStages } },
    actor,
    environmentId,
    applications,
    async version(name, { changed = Object.keys(applications), builds = "ready" } = {}) {
      const id = db.newId();
      await sql.begin(async (tx) => {
        await tx`insert into version (id, project_id, version, status, reason, builds, builds_reason, created_by)
          values (${id}, ${DEFAULT_PROJECT}, ${name}, 'normal', ${
          json(reason("version.normal", { ref: "main" }))
        }, ${builds}, ${json(reason("version.builds_ready"))}, 'test')`;
        for (const [app, config] of Object.entries(options.applications)) {
          const sha256 = await freezeDocument(tx, {
            apiVersion: "boreas/v1",
            kind: "Application",
            name: app,
            ...config,
          });
          await tx`insert into version_app (version_id, application_id, project_id, changed, document_sha256, builds, builds_reason)
            values (${id}, ${applications[app]!}, ${DEFAULT_PROJECT}, ${changed.includes(app)}, ${sha256}, ${builds}, ${
            json(reason("version.builds_ready"))
          })`;
        }
      });
      return id;
    },
    async agent(name, labels = {}) {
      const id = db.newId();
      await sql`insert into agent (id, project_id, name, kind, embedded, labels, slots, status, reason, created_by)
        values (${id}, ${DEFAULT_PROJECT}, ${name}, 'pm', true, ${json(labels)}, 100, 'connected', ${
        json(reason("agent.connected"))
      }, 'test')`;
      await sql`insert into agent_environment (agent_id, environment_id) values (${id}, ${environmentId})`;
      return id;
    },
  };
}
