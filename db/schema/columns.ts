/** Column kinds that every table shares. */
import { customType, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import type { Reason } from "../../domain/reason.ts";
import { jsonb } from "drizzle-orm/pg-core";

export const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });
export const xid8 = customType<{ data: string }>({ dataType: () => "xid8" });

/** UUIDv7, made by us, so that ids sort by creation. */
export const id = () => uuid("id").primaryKey();
export const projectId = () => uuid("project_id").notNull();
/** `boreas_now()` is the database's clock, which tests may set; no other clock decides anything. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });
export const createdAt = () => instant("created_at").notNull().default(sql`boreas_now()`);
export const updatedAt = () => instant("updated_at").notNull().default(sql`boreas_now()`);
export const reasonColumn = (name = "reason") => jsonb(name).$type<Reason>().notNull();
/** text + CHECK, never an enum type: adding a value must not need its own transaction. */
export const oneOf = <const T extends readonly [string, ...string[]]>(name: string, values: T) =>
  text(name, { enum: values });
export const checkOneOf = (column: string, values: readonly string[]) =>
  sql.raw(`${column} in (${values.map((v) => `'${v}'`).join(", ")})`);
