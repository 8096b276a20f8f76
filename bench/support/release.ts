/**
 * The load of the dispatch bench, as a busy day has it: ten systems of ten applications, released to ten environments of
 * ten machines. One deployment takes one system to one environment, so a hundred may run at once.
 *
 *   layers by `needs`:  a0 -> a1 a2 a3 -> a4 a5 a6 -> a7 a8 a9       each application: five machines, then the other five
 *
 * 100 tasks for agents per deployment, 10 parents that roll up, 8 steps one after the other. Everything is made by the
 * verbs that REST uses; only versions and applications, which Git would bring, are written by hand.
 */
import { freezeDocument } from "../../db/blobs/freeze_document.ts";
import { createEnrollmentToken } from "../../db/enrollment/create_enrollment_token.ts";
import { DEFAULT_PROJECT, systemActor } from "../../db/database.ts";
import type { Database } from "../../db/database.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import type { DeploymentDeps } from "../../db/deployments/load_plan.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { reason } from "../../domain/reason.ts";

export interface ReleaseSize {
  systems: number;
  environments: number;
  applications: number;
  machines: number;
}
export const FULL_SIZE: ReleaseSize = { systems: 10, environments: 10, applications: 10, machines: 10 };
export const tasksOf = (size: ReleaseSize) => size.systems * size.environments * size.applications * size.machines;

export interface World {
  /** For as many agents as there are machines. */
  token: string;
  versionIds: string[];
  environmentIds: string[];
}

export const actor = systemActor("bench");
/** One less than the first of a layer needs, and so on: each application of a layer needs its neighbour in the one before. */
const needOf = (index: number): number[] => index === 0 ? [] : index <= 3 ? [0] : [index - 3];

export async function seedWorld(db: Database, size: ReleaseSize): Promise<World> {
  const { sql } = db;
  const environmentIds: string[] = [];
  for (let e = 0; e < size.environments; e++) {
    const id = db.newId();
    await sql`insert into environment (id, project_id, name, type, status, created_by)
      values (${id}, ${DEFAULT_PROJECT}, ${`place-${e}`}, 'pm', 'active', 'bench')`;
    environmentIds.push(id);
  }
  const versionIds: string[] = [];
  for (let s = 0; s < size.systems; s++) versionIds.push(await seedSystem(db, s, size, environmentIds));
  const { token } = await createEnrollmentToken({ db }, {
    uses: size.machines,
    expiresIn: 3600,
    labels: {},
    environments: environmentIds,
    kind: "agent",
  }, { ...actor, role: "admin" });
  return { token, versionIds, environmentIds };
}

async function seedSystem(db: Database, system: number, size: ReleaseSize, environmentIds: string[]) {
  const json = (value: unknown) => db.sql.json(value as never);
  const id = db.newId();
  const ready = json(reason("version.builds_ready"));
  await db.sql.begin(async (tx) => {
    await tx`insert into version (id, project_id, version, status, reason, builds, builds_reason, created_by)
      values (${id}, ${DEFAULT_PROJECT}, ${`system-${system}-v1`}, 'normal', ${
      json(reason("version.normal", { ref: "main" }))
    }, 'ready', ${ready}, 'bench')`;
    for (let a = 0; a < size.applications; a++) {
      const applicationId = db.newId();
      const name = `s${system}-a${a}`;
      await tx`insert into application (id, project_id, name, type, created_by)
        values (${applicationId}, ${DEFAULT_PROJECT}, ${name}, 'microservice', 'bench')`;
      for (const environmentId of environmentIds) {
        await tx`insert into application_environment (application_id, environment_id, project_id, source)
          values (${applicationId}, ${environmentId}, ${DEFAULT_PROJECT}, 'api')`;
      }
      const sha256 = await freezeDocument(tx, {
        apiVersion: "boreas/v1",
        kind: "Application",
        name,
        needs: needOf(a).map((index) => `s${system}-a${index}`),
        runtime: { script: { deploy: "ops/deploy.sh" } },
        config: { env: { LOG_LEVEL: "info", REGION: "eu-1", FEATURES: "a,b,c" } },
        strategy: { type: "rolling", batch: "50%" },
      });
      await tx`insert into version_app (version_id, application_id, project_id, changed, document_sha256, builds, builds_reason)
        values (${id}, ${applicationId}, ${DEFAULT_PROJECT}, true, ${sha256}, 'ready', ${ready})`;
    }
  });
  return id;
}

/** Creates and starts a deployment of every system to every environment: their first tasks are open when it returns. */
export async function openRelease(deps: DeploymentDeps, world: World): Promise<string[]> {
  const ids: string[] = [];
  for (const environmentId of world.environmentIds) {
    for (const versionId of world.versionIds) {
      const id = await createDeployment(deps, { versionId, environmentId }, actor);
      await startDeployment(deps, id, actor);
      ids.push(id);
    }
  }
  return ids;
}
