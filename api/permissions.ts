/**
 * Who may call what: the one table. A route that is not here does not exist for anybody, and a test compares the table
 * with the routes both ways. `public` asks for nothing; `agent` carries a proof of its own that the route checks
 * (a ticket, a signature); a role includes those above it.
 */
import { BASE_ROLES, rankOfBase } from "../domain/roles.ts";

export const RANKED_ROLES = BASE_ROLES;
export type Permission = "public" | "agent" | (typeof RANKED_ROLES)[number];

/** Paths below /api/v1. */
const API: Record<string, Permission> = {
  "POST /auth/login": "public",
  "POST /auth/refresh": "public",
  "POST /auth/logout": "public", // with whatever session it has; ending nothing is fine
  "GET /auth/me": "viewer",

  "GET /users": "admin",
  "POST /users": "admin",
  "GET /users/:id": "admin",
  "PATCH /users/:id": "admin",
  "DELETE /users/:id": "admin",
  "GET /tokens": "viewer", // one's own; an admin sees all
  "POST /tokens": "viewer", // never above one's own role
  "GET /tokens/:id": "viewer",
  "DELETE /tokens/:id": "viewer",
  "GET /audit": "admin",
  "GET /roles": "viewer",
  "PUT /roles/:name": "admin",
  "DELETE /roles/:name": "admin",

  "GET /applications": "viewer",
  "POST /applications": "deployer",
  "GET /applications/:id": "viewer",
  "PATCH /applications/:id": "deployer",
  "DELETE /applications/:id": "admin",
  "POST /applications/:id/approve": "deployer",
  "POST /applications/:id/dismiss": "deployer",
  "POST /applications/:id/hand-over": "admin", // decides whose files say what runs
  "GET /applications/:id/environments": "viewer",
  "GET /applications/:id/environments/:environmentId": "viewer",
  "PUT /applications/:id/environments/:environmentId": "deployer",
  "GET /applications/:id/environments/:environmentId/resources": "viewer",
  "GET /applications/:id/environments/:environmentId/logs": "viewer",
  "GET /applications/:id/history": "viewer",
  "GET /environments": "viewer",
  "POST /environments": "admin",
  "GET /environments/:id": "viewer",
  "PATCH /environments/:id": "admin", // its policy is the floor for everybody below
  "DELETE /environments/:id": "admin",
  "GET /environments/:id/status": "viewer",
  "GET /secrets": "admin",
  "PUT /secrets": "admin",
  "GET /secrets/:id": "admin",
  "DELETE /secrets/:id": "admin",

  "GET /notifications": "admin", // who is told, and where that goes
  "POST /notifications": "admin",
  "GET /notifications/:id": "admin",
  "PATCH /notifications/:id": "admin",
  "DELETE /notifications/:id": "admin",
  "POST /notifications/:id/test": "admin",
  "GET /notifications/:id/deliveries": "admin",
  "POST /notifications/:id/deliveries/:deliveryId/redeliver": "admin",

  "GET /repositories": "viewer",
  "POST /repositories": "admin", // registering one decides what runs
  "GET /repositories/:id": "viewer",
  "PATCH /repositories/:id": "admin",
  "DELETE /repositories/:id": "admin",
  "POST /repositories/:id/sync": "deployer",
  "GET /repositories/:id/deliveries": "viewer",
  "POST /repositories/:id/deliveries/:deliveryId/redeliver": "deployer",
  "GET /repositories/:id/statuses": "viewer",
  "POST /repositories/:id/statuses/:statusId/resend": "deployer",
  "GET /versions": "viewer",
  "POST /versions": "deployer",
  "GET /versions/:id": "viewer",
  "DELETE /versions/:id": "admin",
  "POST /versions/:id/revert": "deployer",
  "POST /versions/:id/unrevert": "deployer",
  "GET /versions/:id/status": "viewer",
  "GET /versions/:id/changes": "viewer",
  "GET /commits/:sha/deployments": "viewer",

  "GET /triggers": "viewer",
  "POST /triggers": "deployer", // the environment's policy stands above what it does
  "GET /triggers/:id": "viewer",
  "PATCH /triggers/:id": "deployer",
  "DELETE /triggers/:id": "deployer",
  "POST /triggers/:id/fire": "deployer",
  "GET /triggers/:id/runs": "viewer",
  "GET /trigger-runs": "viewer",
  "GET /trigger-runs/:id": "viewer",
  "GET /freezes": "viewer",
  "POST /freezes": "deployer",
  "POST /freezes/:id/end": "deployer", // who made it, who may override it, or an admin
  "GET /deployments": "viewer",
  "POST /deployments": "deployer",
  "POST /deployments/preview": "deployer",
  "POST /deployments/removals": "deployer",
  "POST /deployments/removals/preview": "deployer",
  "GET /deployments/:id": "viewer",
  "PATCH /deployments/:id": "deployer",
  "POST /deployments/:id/start": "deployer",
  "POST /deployments/:id/cancel": "deployer",
  "POST /deployments/:id/pause": "deployer",
  "POST /deployments/:id/resume": "deployer",
  "POST /deployments/:id/rollback": "deployer",
  "POST /deployments/:id/approve": "viewer", // the environment's policy says who
  "POST /deployments/:id/reject": "viewer",
  "POST /deployments/:id/retry": "deployer",
  "POST /deployments/:id/promote": "deployer",
  "POST /deployments/:id/skip": "deployer",
  "GET /deployments/:id/timeline": "viewer",
  "GET /tasks": "viewer",
  "GET /tasks/:id": "viewer",
  "POST /tasks/:id/retry": "deployer",
  "POST /tasks/:id/cancel": "deployer",
  "POST /tasks/:id/approve": "viewer", // the step says who
  "POST /tasks/:id/reject": "viewer",
  "POST /tasks/:id/skip": "deployer",
  "POST /tasks/:id/decide": "deployer",
  "GET /tasks/:id/measurements": "viewer",
  "GET /tasks/:id/logs": "viewer",
  "GET /tasks/:id/logs/lines": "viewer",
  "GET /approvals": "viewer", // what waits for the one who asks
  "POST /approvals/links": "viewer", // for oneself; an admin names others
  "GET /live": "viewer",
  "POST /live/:streamId/topics": "viewer",
  "GET /overview": "viewer",

  "GET /agents": "viewer",
  "GET /agents/:id": "viewer",
  "PATCH /agents/:id": "admin",
  "DELETE /agents/:id": "admin",
  "POST /agents/:id/cordon": "deployer",
  "POST /agents/:id/uncordon": "deployer",
  "POST /agents/:id/drain": "deployer",
  "POST /agents/:id/approve": "admin",
  "POST /agents/:id/rotate": "admin",
  "POST /agents/:id/upgrade": "admin",
  "POST /agents/upgrade": "admin",
  "GET /agent-upgrades": "viewer",
  "GET /agent-upgrades/:id": "viewer",
  "POST /agent-upgrades/:id/cancel": "admin",
  "GET /enrollment-tokens": "admin",
  "POST /enrollment-tokens": "admin",
  "DELETE /enrollment-tokens/:id": "admin",
  "POST /enroll": "agent", // a join token in the body
  "GET /install.sh": "public", // nothing secret in it, and machines have no identity yet
  "GET /install/manifest": "public",
  "GET /install/runtimes": "viewer",
  "PUT /install/runtimes/:os/:arch": "admin", // what it uploads is run by machines
  "GET /install/offline/:archive": "public",
  "GET /install/:name": "public",
  "GET /blobs/:sha256": "agent", // a ticket of the dispatch

  "GET /openapi.json": "public",
  "GET /ca.pem": "public",
};

/** Outside /api/v1. */
const ROOT: Record<string, Permission> = {
  "POST /webhook/:provider": "public", // signed by the sender
  "POST /webhook/:provider/:repositoryId": "public",
  "GET /approve": "public", // a signed link; reading it changes nothing
  "GET /approve.css": "public",
  "POST /approve": "public",
  "GET /v1/health": "public",
  "GET /v1/ready": "public",
  "GET /metrics": "public",
  "GET /schema/boreas.json": "public",
  "GET /openapi.json": "public",
  "GET /docs": "public",
  "GET /docs/docs.js": "public",
  "GET /docs/docs.css": "public",
  "GET /*": "public", // the dashboard: files without anything secret in them
};

const below = (prefix: string, table: Record<string, Permission>) =>
  Object.fromEntries(Object.entries(table).map(([key, permission]) => [key.replace(" ", ` ${prefix}`), permission]));

export const PERMISSIONS: Readonly<Record<string, Permission>> = { ...below("/api/v1", API), ...ROOT };

/** Calls whose answer shows a secret once: it is not kept for a repeat of the request. */
export const ANSWERS_WITH_SECRET: ReadonlySet<string> = new Set([
  "POST /api/v1/tokens",
  "POST /api/v1/enrollment-tokens",
  "POST /api/v1/approvals/links",
]);

/** Of one of the three; a role that a team added stands on one of them (`baseOf`), and is a viewer to whoever forgets that. */
export const rankOf = rankOfBase;
export const isAllowed = (permission: Permission, role: string): boolean =>
  permission === "public" || permission === "agent" || rankOf(role) >= rankOf(permission);
