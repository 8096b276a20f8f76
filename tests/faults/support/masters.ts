/** Masters on one database, and work for them. */
import type { Sql } from "../../../db/client.ts";
import { ADMIN_PASSWORD, startMaster } from "../../helpers/start_product.ts";
import type { Master } from "../../helpers/start_product.ts";
import type { OwnPostgres } from "./own_postgres.ts";

export const SECRET_KEY = "q8n2Zr5TgJ1wYd0uXe7mVb4kLs9hFc3aPiO6tEyRjNw=";

/** What every process on this database has in common. No operators of their own: the test brings its agents. */
export const onDatabase = (url: string): Record<string, string> => ({
  DATABASE_URL: url,
  BOREAS_SECRET_KEY: SECRET_KEY,
  BOREAS_OPERATORS: ",",
  BOREAS_LOCAL_AGENT: "off",
});

export async function startMasters(
  postgres: OwnPostgres,
  count: number,
  env: Record<string, string> = {},
): Promise<{ sql: Sql; masters: Master[]; ports: number[] }> {
  const name = `masters_${crypto.randomUUID().slice(0, 8)}`;
  const sql = await postgres.database(name);
  const masters = await Promise.all(
    Array.from({ length: count }, () => startMaster({ ...onDatabase(postgres.url(name)), ...env })),
  );
  return { sql, masters, ports: masters.map(portOf) };
}

export const portOf = (master: Master): number => Number(new URL(master.url).port);

/** Headers of an admin at this master. */
export async function signIn(master: Master): Promise<{ authorization: string }> {
  const { text } = await master.raw("POST", "/api/v1/auth/login", { username: "admin", password: ADMIN_PASSWORD });
  return { authorization: `Bearer ${JSON.parse(text).accessToken}` };
}

/** One number of `/metrics`. */
export async function metricOf(master: Master, name: string): Promise<number> {
  const { text } = await master.raw("GET", "/metrics");
  const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1];
  if (found === undefined) throw new Error(`/metrics has no ${name}:\n${text}`);
  return Number(found);
}

export interface Work {
  environmentIds: string[];
  /** A new version, deployed to every environment and started; one task for each application of each. */
  deploy(through?: Master): Promise<string[]>;
}

let worlds = 0;
export async function prepareWork(
  sql: Sql,
  master: Master,
  size: { environments: number; applications: number; config?: Record<string, unknown>; type?: "mock" | "pm" },
): Promise<Work> {
  const world = ++worlds;
  const names = Array.from({ length: size.applications }, (_, n) => `app-${world}-${n}`);
  const environmentIds: string[] = [];
  for (let n = 0; n < size.environments; n++) {
    environmentIds.push(
      (await master.api("POST", "/environments", { name: `env-${world}-${n}`, type: size.type ?? "mock" })).id,
    );
  }
  for (const name of names) {
    await master.api("POST", "/applications", { name, config: size.config ?? { mock: {} } });
  }
  // Unbound, an application would be bound by the first deployment that starts, and to that environment only.
  await sql`insert into application_environment (application_id, environment_id, project_id, source)
    select a.id, e.id, a.project_id, 'api' from application a, environment e
    where a.name = any(${names}::text[]) and e.id = any(${environmentIds}::uuid[])`;
  let versions = 0;
  return {
    environmentIds,
    async deploy(through = master) {
      const version = await through.api("POST", "/versions", {
        version: `v${world}.${++versions}`,
        appBuilds: Object.fromEntries(names.map((name) => [name, {}])),
      });
      return await Promise.all(environmentIds.map(async (environmentId) => {
        const { id } = await through.api("POST", "/deployments", { versionId: version.id, environmentId });
        await through.api("POST", `/deployments/${id}/start`, {});
        return id as string;
      }));
    },
  };
}

const ENDED = ["completed", "failed", "cancelled", "rolled_back", "rollback_failed", "superseded"];
/** Whether all of them have ended; read from the database, which stays when masters go. */
export async function haveEnded(sql: Sql, ids: readonly string[]): Promise<boolean> {
  const [row] = await sql<{ n: number }[]>`
    select count(*)::int as n from deployment where id = any(${[...ids]}::uuid[]) and status = any(${ENDED}::text[])`;
  return row!.n === ids.length;
}
