/** What the fixture answers at each address of the API. */
import { agents, upgrades } from "./fixture_agents.ts";
import { history, overview, preview, states, timeline } from "./fixture_answers.ts";
import { measurements, requests } from "./fixture_approvals.ts";
import { applications, environments, secondsAgo, versions } from "./fixture_data.ts";
import { deployments } from "./fixture_deployments.ts";
import { historyAnswer } from "./fixture_history.ts";
import { commitStatuses, deliveries, repositories } from "./fixture_repositories.ts";
import { notificationDeliveries, notifications, secrets } from "./fixture_settings.ts";
import { triggerRuns, triggers } from "./fixture_triggers.ts";

export function answerRoute(
  method: string,
  path: string,
  url: URL,
  body: {
    name?: string;
    uses?: number;
    approveFirst?: boolean;
    on?: string;
    repositoryId?: string | null;
    strategy?: unknown;
  },
): Response {
  const [, list, id, part] = path.split("/");
  const rows: Record<string, { id: string }[]> = {
    applications,
    environments,
    versions,
    agents,
    "agent-upgrades": upgrades,
    repositories,
    secrets,
    notifications,
    triggers,
    "trigger-runs": triggerRuns,
    tokens: [
      {
        id: agents[0]!.id,
        name: "ci",
        role: "deployer",
        createdAt: secondsAgo(9e5),
        expiresAt: secondsAgo(-9e6),
        lastUsedAt: secondsAgo(400),
      } as never,
    ],
    deployments: Object.values(deployments),
  };
  if (path === "/auth/logout") {
    return new Response(null, { status: 204, headers: { "set-cookie": "boreas=; Max-Age=0; Path=/" } });
  }
  const past = historyAnswer(path, url);
  if (past !== undefined) return json(past);
  if (path === "/overview") return json(overview());
  if (path === "/approvals") {
    const wanted = url.searchParams.get("deploymentId");
    return json({
      items: requests.filter((one) => wanted ? one.deploymentId === wanted : one.mayVote),
      nextCursor: null,
    });
  }
  if (list === "tasks" && part === "measurements") return json({ items: measurements, nextCursor: null });
  if (path === "/deployments/preview") return json(preview(body));
  if (path === "/enrollment-tokens") {
    const token = "bet_" + "x".repeat(43);
    const line = `{ echo BOREAS_TOKEN=${token}; curl -fsS ${url.origin}/api/v1/install.sh; } | sudo sh`;
    return json({ id: agents[0]!.id, usesLeft: body.uses, approveFirst: body.approveFirst, token, line });
  }
  if (list === "deployments" && part === "timeline") return json({ items: timeline(id!) });
  if (list === "repositories" && part === "statuses") return json({ items: commitStatuses, nextCursor: null });
  if (list === "triggers" && part === "runs") return json({ items: triggerRuns, nextCursor: null });
  if (list === "triggers" && method === "POST" && !id && body.on === "cron" && !body.repositoryId) {
    const message = "is missing: the clock does not say whose version to take";
    return problem(400, "trigger.invalid", `repositoryId ${message}.`, [{ path: "repositoryId", message }]);
  }
  if (list === "triggers" && part === "fire") return json({ ...triggerRuns[1], dryRun: true });
  if (list === "notifications" && part === "deliveries") {
    return json({ items: notificationDeliveries, nextCursor: null });
  }
  if (part === "deliveries") return json({ items: deliveries, nextCursor: null });
  if (list === "applications" && /\/resources$/.test(url.pathname)) {
    return json({
      items: states(url.pathname.split("/").at(-2)!).filter((s) => s.applicationId === id),
      nextCursor: null,
    });
  }
  if (list === "applications" && /\/logs$/.test(url.pathname)) {
    return new Response(`listening on 31002\n\u001b[32mGET /healthz 200\u001b[0m\n`, {
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
  }
  if (list === "applications" && part === "environments") {
    return json({
      items: environments.slice(0, 2).map((e) => ({
        environmentId: e.id,
        environment: e.name,
        config: {},
        removedAt: null,
      })),
      nextCursor: null,
    });
  }
  if (list === "applications" && part === "history") return json({ items: history(), nextCursor: null });
  if (list === "environments" && part === "status") return json({ items: states(id!), nextCursor: null });
  if (list === "freezes" && method === "GET") {
    const { id: environmentId, name: environment } = environments[0]!;
    const by = { source: "person", environmentId, environment, applications: null, cron: null, tz: null, for: null };
    const times = { isActive: true, from: "2026-01-01T00:00:00Z", until: "2999-01-01T00:00:00Z" };
    const said = { reason: "Stocktaking.", overrideRole: "incident", createdBy: "lead" };
    return json({ items: [{ id: environmentId, ...by, ...times, ...said }] });
  }
  if (list === "versions" && part === "status") {
    const of = Object.values(deployments).filter((d) => d.versionId === id);
    return json({ versionId: id, deployments: of, running: [] });
  }
  const known = rows[list!];
  if (method !== "GET") {
    return list === "deployments" && !id ? json(deployments.pending) : json(rows[list!]?.[0] ?? {});
  }
  if (!known) return problem(404, "route.unknown", "There is nothing at this address.");
  if (!id) return json({ items: known, nextCursor: null });
  const row = known.find((one) => one.id === id);
  return row ? json(row) : problem(404, `${list}.unknown`, "There is nothing with this id.");
}

export const json = (body: unknown, headers: Record<string, string> = {}) => Response.json(body, { headers });
export const problem = (status: number, code: string, detail: string, errors?: { path: string; message: string }[]) =>
  Response.json({ type: "about:blank", title: code, status, code, detail, errors }, { status });
