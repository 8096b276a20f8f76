/** A small company, for the dashboard's own browser tests: where it deploys, what, and the versions there are. */
import { reason } from "../../domain/reason.ts";
import type { Application, Environment, Version } from "../../protocol/http_api.ts";

let lastId = 0;
export const newId = (): string => `0198c000-0000-7000-8000-${(++lastId).toString(16).padStart(12, "0")}`;
export const secondsAgo = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

export const REPOSITORY = "https://git.example.com/acme/shop.git";
export const NAMES = ["user-service", "order-service", "payment-service", "catalog-web", "mail-worker"];

export const environments: Environment[] = ([
  ["staging", "pm", "eu-central", {}],
  ["production", "pm", "eu-central", { branches: ["main"], approvals: { count: 2 }, agentsRequired: 3 }],
  ["playground", "mock", "", {}],
] as const).map(([name, type, region, policy]) => ({
  id: newId(),
  name,
  type,
  region,
  config: {},
  policy,
  status: "active",
  createdAt: secondsAgo(40 * 86_400),
  updatedAt: secondsAgo(86_400),
}));
const [staging, production] = environments as [Environment, Environment, Environment];

export const applications: Application[] = NAMES.map((name) => ({
  id: newId(),
  name,
  description: { "user-service": "Accounts and sessions", "order-service": "Carts and orders" }[name] ?? "",
  repository: REPOSITORY,
  repositoryId: null,
  type: "microservice",
  config: { runtime: { binary: { exec: [`bin/${name}`, "--port", "${port.http}"], ports: { http: "auto" } } } },
  environments: [staging, production].map(({ id, name }) => ({ id, name })),
  proposal: null,
  archivedAt: null,
  running: 0,
  createdAt: secondsAgo(30 * 86_400),
  updatedAt: secondsAgo(7200),
}));

function version(name: string, age: number, more: Partial<Version> = {}): Version {
  return {
    id: newId(),
    version: name,
    gitTag: name.startsWith("v") ? name : null,
    gitCommit: "4f2a9c1d7e8b60315a4cfe29b7d8a01c3e5f7a92",
    repository: REPOSITORY,
    repositoryId: null,
    description: "Checkout keeps the cart when the session is renewed",
    status: "normal",
    builds: "ready",
    reason: reason("version.normal", { ref: name }),
    buildsReason: reason("version.builds_ready"),
    appBuilds: {},
    applications: applications.map((app, at) => ({
      id: app.id,
      name: app.name,
      changed: at < 4,
      builds: "ready" as const,
    })),
    createdBy: "webhook",
    createdAt: secondsAgo(age),
    ...more,
  };
}
export const versions: Version[] = [
  version("main-8c1f20aa93d4", 95, {
    builds: "waiting",
    buildsReason: reason("version.builds_waiting", {
      what: "order:main-8c1f20 in the registry",
      checked: "12 s",
      until: "10:30",
    }),
  }),
  version("v1.5.0", 400),
  version("v1.4.1", 5400, {
    status: "revert",
    reason: reason("version.reverted_by_rollback", {
      task: "order-service",
      detail: "its health check did not pass within 60 s.",
    }),
  }),
  version("v1.4.0", 90_000, { description: "Orders can be split" }),
  version("v1.3.2", 400_000, { description: "Fix rounding of VAT" }),
];
