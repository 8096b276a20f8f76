/** What pages show beside the rows of a list: the overview, what runs where, and what has happened or would. */
import { reason } from "../../domain/reason.ts";
import type { AppStateItem, Overview } from "../../protocol/http_api.ts";
import { agents } from "./fixture_agents.ts";
import { applications, environments, secondsAgo, versions } from "./fixture_data.ts";
import { deployments } from "./fixture_deployments.ts";

export function overview(): Overview {
  const all = Object.values(deployments);
  const [staging, production] = environments;
  return {
    counts: {
      applications: applications.length,
      environments: environments.length,
      repositories: 1,
      agentsConnected: 3,
      agents: 4,
      deploymentsActive: all.filter((d) => d.status === "running").length,
      deploymentsWaiting: 1,
      failedDeliveries: 1,
    },
    environments,
    applications,
    grid: applications.flatMap((app, at) => [
      {
        applicationId: app.id,
        environmentId: staging!.id,
        version: at === 0 ? "v1.5.0" : "v1.4.0",
        health: at === 1 ? "progressing" : "healthy",
        targets: at === 3 ? 4 : 1,
      },
      {
        applicationId: app.id,
        environmentId: production!.id,
        version: "v1.4.0",
        health: at === 2 ? "degraded" : "healthy",
        targets: at === 3 ? 6 : 2,
      },
    ]),
    deployments: all.map(({ tasks: _, ...plain }) => plain),
  };
}

export const states = (environmentId: string): AppStateItem[] =>
  applications.flatMap((app, at) =>
    ["m1.eu", "m2.eu"].slice(0, at === 3 ? 2 : 1).map((target) => ({
      applicationId: app.id,
      application: app.name,
      environmentId,
      target,
      versionId: versions[3]!.id,
      version: "v1.4.0",
      health: at === 2 ? "degraded" as const : at === 1 ? "unknown" as const : "healthy" as const,
      sync: at === 4 ? "out_of_sync" as const : at === 1 ? "unknown" as const : "synced" as const,
      details: at === 2 ? { trouble: "http :31002/healthz answered 503" } : {},
      updatedAt: secondsAgo(5000 + at),
      agent: {
        id: agents[0]!.id,
        name: target,
        connected: at !== 1,
        lastSeenAt: secondsAgo(at === 1 ? 700 : 5),
      },
      lastHealth: "healthy" as const,
      lastSync: "synced" as const,
      observedAt: secondsAgo(40),
      healthSince: secondsAgo(4000),
      observedVersion: "v1.4.0",
      resources: [
        {
          kind: "process" as const,
          name: `pid ${800 + at}`,
          state: "running",
          startedAt: secondsAgo(4990),
          restarts: at,
          details: {},
        },
      ],
      differences: at === 4 ? drifted : [],
      drift: at === 4 ? drifted.slice(0, 1) : [],
      driftMode: at === 4 ? "heal" as const : "report" as const,
      healing: at === 4 ? { tries: [1, 2], deploymentId: deployments.running!.id } : null,
    }))
  );

const drifted = [
  { path: "env.LOG_LEVEL", expected: "info", actual: "debug" },
  { path: "labels.team", expected: "trade", actual: "none" },
];

export const history = () =>
  Object.values(deployments).map((d) => ({
    deploymentId: d.id,
    taskId: d.tasks[1]!.id,
    versionId: d.versionId,
    version: d.version,
    environment: d.environment,
    status: d.tasks[1]!.status,
    reason: d.tasks[1]!.reason,
    startedAt: d.tasks[1]!.startedAt,
    completedAt: d.tasks[1]!.completedAt,
  }));

export function timeline(id: string) {
  const deployment = Object.values(deployments).find((d) => d.id === id)!;
  const entry = (taskId: string | null, kind: string, why: ReturnType<typeof reason>, age: number) => ({
    id: Math.round(1e6 - age * 10),
    at: secondsAgo(age),
    deploymentId: id,
    taskId,
    kind,
    name: "",
    reason: why,
  });
  return [
    entry(null, "deployment.created", reason("deployment.created"), 150),
    entry(null, "deployment.running", reason("deployment.started", { actor: "maria" }), 120),
    ...deployment.tasks.slice(0, 4).map((task, at) =>
      entry(task.id, `task.${task.status}`, task.reason, 110 - at * 20)
    ),
  ];
}

/** A strategy for this deployment alone leaves out an approval. */
export function preview({ strategy }: { strategy?: unknown }) {
  const [user, order, payment, catalog] = applications.map((app) => app.name);
  const task = (name: string, dependsOn: string[], target: string) => ({
    key: name,
    parentKey: null,
    name,
    application: name,
    type: "deploy",
    dependsOn,
    target,
    action: "update",
  });
  return {
    applications: [user, order, payment, catalog],
    tasks: [
      task(user!, [], "m1.eu"),
      task(catalog!, [], "m3.eu"),
      task(order!, [user!], "m2.eu"),
      task(payment!, [order!], "m1.eu"),
    ],
    dropped: strategy ? [`${order}: approval by 1 of lead after 1 of 4`] : [],
    warnings: ["m4.eu is not connected; its part waits for it."],
  };
}
