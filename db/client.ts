/**
 * The one driver. Columns come back in camelCase, instants as RFC 3339 UTC text, bigints as numbers (none of ours passes
 * 2^53). Statements are prepared, except behind a transaction pooler.
 */
import postgres from "postgres";
import { createSocketFactory } from "./driver_socket.ts";

export type Sql = postgres.Sql<{ bigint: number }>;
export type TransactionSql = postgres.TransactionSql<{ bigint: number }>;
/** Part of a statement. */
export type Fragment = postgres.Fragment;
export type ConnectionTarget = string | { host: string; port: number; user: string; database: string };

export interface ClientOptions {
  max?: number;
  /** Behind pgbouncer in transaction mode: no prepared statements, LISTEN cannot work, and one question at a time. */
  pooler?: boolean;
  applicationName?: string;
  /** How long a connection that was asked something may say nothing before it is given up; null: for ever. */
  silenceMs?: number | null;
  /**
   * For the few statements that each task passes through, many times a second: each is planned once for a connection, and
   * by its indexes. Planning them for their values costs more than running them, and those who are few when the plan is
   * made may be a million when it is used.
   */
  plansOnce?: boolean;
}

/** Rows are found by ids that are given; reading a whole table is never right here, however small it looks. */
const PLANNED_ONCE = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
};

/** A statement ends well before its connection would be given up for silent. */
const SILENCE_MS = 30_000;
const STATEMENT_SHARE = 0.8;

export function openClient(target: ConnectionTarget, options: ClientOptions = {}): Sql {
  const { silenceMs = SILENCE_MS } = options;
  const shared = {
    ssl: false, // the socket sees to it
    socket: createSocketFactory({
      mode: typeof target === "string" ? tlsModeOf(target) : false,
      silenceMs,
      inTurn: options.pooler === true,
    }),
    max: options.max ?? 10,
    prepare: !options.pooler,
    connect_timeout: 10,
    onnotice: () => {},
    connection: {
      application_name: options.applicationName ?? "boreas",
      TimeZone: "UTC",
      // A pooler refuses what it cannot keep apart.
      ...(options.pooler || silenceMs === null ? {} : { statement_timeout: Math.floor(silenceMs * STATEMENT_SHARE) }),
      ...(options.plansOnce && !options.pooler ? PLANNED_ONCE : {}),
    },
    transform: { undefined: null, column: { from: postgres.toCamel, to: postgres.fromCamel } },
    types: {
      bigint: { to: 20, from: [20], serialize: (n: number) => String(n), parse: (text: string) => Number(text) },
      date: {
        to: 1184,
        from: [1114, 1184],
        serialize: (value: unknown) => (value instanceof Date ? value.toISOString() : String(value)),
        parse: toInstant,
      },
    },
  };
  // The library's types know one shape of custom type per client; ours has two, so the result is named here once.
  const client: unknown = typeof target === "string" ? postgres(target, shared) : postgres({ ...shared, ...target });
  return endWithConnection(client as Sql);
}

function tlsModeOf(url: string): string | false {
  const { searchParams } = new URL(url);
  const mode = searchParams.get("sslmode") ?? searchParams.get("ssl") ??
    (searchParams.get("sslrootcert") === "system" ? "verify-full" : "disable");
  return mode === "disable" || mode === "false" ? false : mode;
}

/**
 * A transaction ends with its connection. The driver would send the rest of its body, or a ROLLBACK, on whatever
 * connection took the place: outside of any transaction, or into somebody else's. So a body that lost its connection
 * hears nothing any more; its caller has been told.
 */
function endWithConnection(sql: Sql): Sql {
  const begin = sql.begin.bind(sql) as (options: string, body: (tx: TransactionSql) => unknown) => Promise<unknown>;
  const forEver = new Promise<never>(() => {});
  const wholeBegin = async (...args: [string, Body] | [Body]) => {
    const [mode, body] = args.length === 1 ? ["", args[0]] : args;
    let isOver = false;
    const within = async (tx: TransactionSql) => {
      try {
        return await body(
          new Proxy(tx, { apply: (send, self, words) => isOver ? forEver : Reflect.apply(send as never, self, words) }),
        );
      } catch (error: unknown) {
        // A ROLLBACK for a connection that is gone would end the process: whether it is, shows in the next turns.
        for (let n = 0; n < LOSS_TURNS && !isOver && isOfConnection(error); n++) await new Promise(nextTurn);
        if (isOver) return await forEver;
        throw error;
      }
    };
    try {
      return await begin(mode, within);
    } finally {
      isOver = true;
    }
  };
  return Object.assign(sql, { begin: wholeBegin });
}
/** A socket tells of its loss before it closes; this is some more. */
const LOSS_TURNS = 10;
const nextTurn = (turn: (_: void) => void) => void setImmediate(turn);
const isOfConnection = (error: unknown) => error instanceof Error && "code" in error && error.name !== "PostgresError";
type Body = (tx: TransactionSql) => unknown;

export { postgres };

/**
 * RFC 3339 with milliseconds, from PostgreSQL's own text. Nearly all of it comes in one form (the session speaks UTC),
 * and a page of tasks has hundreds, so that form is cut and not calculated.
 */
export function toInstant(text: string): string {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/.test(text)) return new Date(text).toISOString();
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20, -3).padEnd(3, "0").slice(0, 3)}Z`;
}
