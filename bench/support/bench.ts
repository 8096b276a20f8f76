/** What a bench is, and what it hands back: tables for people, targets with their verdicts, the whole as JSON. */
import type { BenchServer } from "./server.ts";
import type { Table } from "./table.ts";

export interface Bench {
  /** `deno task bench <name>` */
  name: string;
  /** One sentence: what is measured, from where to where. */
  what: string;
  run(context: BenchContext): Promise<BenchReport>;
}

export interface BenchContext {
  /** One PostgreSQL for everything of a run; each party gets a database of its own on it. */
  server: BenchServer;
  /** Interleaved rounds; the median counts. */
  rounds: number;
  /** Smallest sizes, no peers: shows that the bench runs, measures nothing. */
  isSmoke: boolean;
  say(sentence: string): void;
}

export interface BenchReport {
  tables: Table[];
  targets: Target[];
  /** What a reader must know to judge the numbers. */
  notes: string[];
  /** Every single measurement, for the JSON file. */
  measured: unknown;
  /** What is too long for a table, such as query plans: `<bench>.txt` beside the results. */
  appendix?: string;
}

export interface Target {
  what: string;
  /** As it is written on the limits page, such as `>= 1.0 x graphile-worker`. */
  wanted: string;
  measured: string;
  isMet: boolean;
}
