/** What two versions would run differently: per application and environment, as it would be sent to an operator. */
import { AppError } from "../../domain/app_error.ts";
import { diffValues } from "../../domain/diff_values.ts";
import type { VersionChanges } from "../../protocol/http_api.ts";
import { renderSpec } from "../../protocol/render_spec.ts";
import type { Database, Tx } from "../database.ts";
import { readApplications } from "../deployments/read_planned_apps.ts";
import type { PlannedApplication } from "../deployments/read_planned_apps.ts";

export interface ComparedVersion {
  id: string;
  version: string;
  gitCommit: string | null;
  repositoryId: string | null;
  appBuilds: Record<string, Record<string, unknown>>;
}
interface Place {
  id: string;
  name: string;
  type: "k8s" | "pm" | "mock";
  config: { env?: Record<string, string> };
}
/** Of one application in one environment. */
const MOST_VALUES = 200;

/** @returns undefined when there is no such version */
export async function readComparedVersion(
  db: Database,
  projectId: string,
  id: string,
): Promise<ComparedVersion | undefined> {
  const [row] = await db.sql<ComparedVersion[]>`
    select id, version, git_commit, repository_id, app_builds from version
    where id = ${id} and project_id = ${projectId}`;
  return row;
}

export async function readChanges(
  db: Database,
  projectId: string,
  from: ComparedVersion,
  to: ComparedVersion,
): Promise<VersionChanges["applications"]> {
  return await db.sql.begin("read only", async (tx) => {
    const places = await tx<Place[]>`
      select id, name, type, config from environment where project_id = ${projectId} order by name`;
    const changes: VersionChanges["applications"] = [];
    for (const place of places) {
      const [before, after] = [await specsOf(tx, from, place), await specsOf(tx, to, place)];
      for (const application of [...new Set([...before.keys(), ...after.keys()])].sort()) {
        const [was, is] = [before.get(application), after.get(application)];
        const values = diffValues(was, is);
        if (values.length === 0) continue;
        changes.push({
          application,
          environment: place.name,
          action: was === undefined ? "added" : is === undefined ? "removed" : "changed",
          values: values.slice(0, MOST_VALUES),
          more: Math.max(0, values.length - MOST_VALUES),
        });
      }
    }
    return changes;
  });
}

async function specsOf(tx: Tx, version: ComparedVersion, place: Place): Promise<Map<string, unknown>> {
  const applications = (await readApplications(tx, version, place)).filter((app) => app.bound);
  return new Map(applications.map((app) => [app.name, comparable(version, place, app)]));
}

/** Versions are compared with their own names left in place of what differs for that reason alone. */
function comparable(version: ComparedVersion, place: Place, app: PlannedApplication): unknown {
  const { strategy, hooks, nodes, attempts, timeout } = app.config;
  const around = { strategy, hooks, nodes, attempts, timeout };
  try {
    const { application: _, ...spec } = renderSpec({
      application: app.name,
      config: app.config,
      environmentType: place.type,
      version: "${version}",
      commit: "${commit}",
      artifacts: app.artifacts,
      bundle: app.bundle,
      build: version.appBuilds[app.name] ?? {},
    });
    // By position a secret that is taken out would look like a change of all that follow it.
    return { ...spec, secrets: byName(spec.secrets), ...around };
  } catch (error: unknown) {
    // What could not be deployed there (its artifacts are being built, its runtime is another's) is compared as written.
    if (!(error instanceof AppError)) throw error;
    const config = app.config.config && { ...app.config.config, secrets: byName(app.config.config.secrets ?? []) };
    return { ...app.config, config, artifacts: app.artifacts };
  }
}

const byName = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, "by name"]));
