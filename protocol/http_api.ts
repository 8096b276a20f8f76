/** Every body that crosses the REST API, one schema each; `api/` serves them, `web/` and `cli/` read them. */
export * from "./api/auth.ts";
export * from "./api/catalog.ts";
export * from "./api/common.ts";
export * from "./api/work.ts";
export * from "./api/upgrades.ts";
export * from "./api/history.ts";
export * from "./api/notifications.ts";
export * from "./api/approvals.ts";
export * from "./api/triggers.ts";
export * from "./api/freezes.ts";
