/** Every table, in the order a reader wants: people, what there is, what happens. */
export * from "./schema/people.ts";
export * from "./schema/catalog.ts";
export * from "./schema/work.ts";
export * from "./schema/running.ts";
export * from "./schema/upgrades.ts";
export * from "./schema/sources.ts";
export * from "./schema/statuses.ts";
export * from "./schema/notifications.ts";
export * from "./schema/triggers.ts";
export * from "./schema/freezes.ts";
export * from "./schema/approvals.ts";
