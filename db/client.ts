/**
 * The one driver. Columns come back in camelCase, instants as RFC 3339 UTC text, bigints as numbers (none of ours passes
 * 2^53). Statements are prepared, except behind a transaction pooler.
 */
import postgres from "postgres";

export type Sql = postgres.Sql<{ bigint: number }>;
export type TransactionSql = postgres.TransactionSql<{ bigint: number }>;
/** Part of a statement. */
export type Fragment = postgres.Fragment;
export type ConnectionTarget = string | { host: string; port: number; user: string; database: string };

export interface ClientOptions {
  max?: number;
  /** Behind pgbouncer in transaction mode: no prepared statements, and LISTEN cannot work. */
  pooler?: boolean;
  applicationName?: string;
}

export function openClient(target: ConnectionTarget, options: ClientOptions = {}): Sql {
  const shared = {
    max: options.max ?? 10,
    prepare: !options.pooler,
    connect_timeout: 10,
    onnotice: () => {},
    connection: { application_name: options.applicationName ?? "boreas", TimeZone: "UTC" },
    transform: { undefined: null, column: { from: postgres.toCamel, to: postgres.fromCamel } },
    types: {
      bigint: { to: 20, from: [20], serialize: (n: number) => String(n), parse: (text: string) => Number(text) },
      date: {
        to: 1184,
        from: [1114, 1184],
        serialize: (value: unknown) => (value instanceof Date ? value.toISOString() : String(value)),
        parse: (text: string) => new Date(text).toISOString(),
      },
    },
  };
  // The library's types know one shape of custom type per client; ours has two, so the result is named here once.
  const client: unknown = typeof target === "string" ? postgres(target, shared) : postgres({ ...shared, ...target });
  return client as Sql;
}

export { postgres };
