/**
 * The two queues we measure ourselves against, and their driver: imported here and nowhere else, by name and at run
 * time, so that neither the product's lock file, its installation nor its image ever know of them. What they are used
 * with is written down by hand, because their types are not there to check against. `peers.lock` pins the rest.
 */
const GRAPHILE = "npm:graphile-worker@0.18.0";
const PG_BOSS = "npm:pg-boss@12.38.0";
const PG = "npm:pg@8.23.1";

export const PEERS = { "graphile-worker": "0.18.0", "pg-boss": "12.38.0" };
/** For the process that imports them. */
export const PEER_ARGUMENTS = [
  "--no-config",
  "--node-modules-dir=none",
  `--lock=${new URL("./peers.lock", import.meta.url).pathname}`,
  "--frozen",
];

export interface Pool {
  on(event: "error" | "connect", call: (it: Error) => void): void;
  query<T = Record<string, unknown>>(text: string, values?: unknown[]): Promise<{ rows: T[] }>;
  end(): Promise<void>;
}
export interface GraphileRunner {
  stop(): Promise<void>;
  promise: Promise<void>;
  addJob(name: string, payload: unknown): Promise<unknown>;
}
interface Graphile {
  run(options: unknown): Promise<GraphileRunner>;
  runMigrations(options: unknown): Promise<void>;
  Logger: new (factory: unknown) => unknown;
}
export interface Boss {
  on(event: "error", call: (error: Error) => void): void;
  start(): Promise<unknown>;
  stop(options: { graceful: boolean }): Promise<void>;
  createQueue(name: string, options?: unknown): Promise<void>;
  insert(name: string, jobs: unknown[]): Promise<unknown>;
  send(name: string, data: unknown): Promise<string | null>;
  fetch(name: string, options: { batchSize: number }): Promise<{ id: string; data: unknown }[]>;
  complete(name: string, ids: string[]): Promise<unknown>;
  work(name: string, options: unknown, handler: (jobs: { data: unknown }[]) => Promise<void>): Promise<string>;
  offWork(name: string): Promise<void>;
}

export async function loadPeers() {
  const [graphile, boss, pg] = await Promise.all([import(GRAPHILE), import(PG_BOSS), import(PG)]);
  return {
    graphile: graphile as Graphile,
    createBoss: (options: unknown) => new (boss.PgBoss as new (options: unknown) => Boss)(options),
    createPool: (options: unknown) => new (pg.default.Pool as new (options: unknown) => Pool)(options),
  };
}
