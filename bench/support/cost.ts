/** What a measured stretch cost the database: statements, transactions, bytes of WAL, processor time. */
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import { hasCounters } from "./server.ts";
import type { BenchServer } from "./server.ts";
import { cpuSeconds, treeCpuSeconds } from "./usage.ts";

export interface Cost {
  walBytes: number;
  /** NaN where the server does not count them. */
  statements: number;
  serverSeconds: number;
  /** Per process that was asked about, in its order. */
  processSeconds: number[];
  top: { calls: number; milliseconds: number; rows: number; query: string }[];
}

export interface CostMeter {
  /** Writes out what earlier work left, so that each party begins alike, and sets all counters to zero. */
  begin(): Promise<void>;
  end(): Promise<Cost>;
  close(): Promise<void>;
}

export async function createCostMeter(server: BenchServer, target: ConnectionTarget, pids: number[]) {
  const sql = openClient(target, { max: 1, applicationName: "bench-meter" });
  const counts = await hasCounters(sql);
  let wal = "";
  let cpu: number[] = [];
  const readCpu = () => [treeCpuSeconds(server.postmaster), ...pids.map(cpuSeconds)];
  const meter: CostMeter = {
    async begin() {
      await sql`checkpoint`;
      if (counts) await sql`select pg_stat_statements_reset()`;
      wal = (await sql<{ at: string }[]>`select pg_current_wal_lsn()::text as at`)[0]!.at;
      cpu = readCpu();
    },
    async end() {
      const now = readCpu();
      const [{ bytes }] = await sql<[{ bytes: number }]>`
        select pg_wal_lsn_diff(pg_current_wal_lsn(), ${wal}::pg_lsn)::float8 as bytes`;
      const top = counts
        ? await sql<Cost["top"]>`
          select calls::int, total_exec_time as milliseconds, rows::int, query from pg_stat_statements s
          join pg_database d on d.oid = s.dbid
          where d.datname = current_database() and query not like '%pg_stat_statements%' and query not like '%pg_current_wal_lsn%'
          order by total_exec_time desc`
        : [];
      const [serverSeconds, ...processSeconds] = now.map((seconds, i) => seconds - cpu[i]!);
      return {
        walBytes: bytes,
        statements: counts ? top.reduce((sum, statement) => sum + statement.calls, 0) : NaN,
        serverSeconds: serverSeconds!,
        processSeconds,
        top: top.slice(0, 25),
      };
    },
    close: () => sql.end({ timeout: 5 }),
  };
  return meter;
}
