/**
 * The built dashboard in front of canned answers and a stream that the test scripts: for the dashboard's own tests, which
 * want every state at will. The walk through the real product is another test.
 */
import { reason } from "../../domain/reason.ts";
import { SECURITY_HEADERS } from "../../api/middleware/request_context.ts";
import { topicKey, topicsOf } from "../../web/live/messages.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { AppStateItem, Deployment, Overview, Task } from "../../protocol/http_api.ts";
import { measurements, requests } from "./fixture_approvals.ts";
import * as data from "./fixture_data.ts";
import { historyAnswer } from "./fixture_history.ts";
import { notificationDeliveries, notifications, secrets } from "./fixture_settings.ts";
import { triggerRuns, triggers } from "./fixture_triggers.ts";

export interface FixtureServer {
  url: string;
  /** Every request that changes something, in order. */
  calls: { method: string; path: string; body: unknown }[];
  streams(): number;
  emit(event: LiveEvent): void;
  /** Appends to a task's log and tells the readers. */
  log(taskId: string, text: string | Uint8Array, attempt?: number): void;
  /** Changes a deployment's tasks by name, and tells the readers. */
  change(
    deployment: Deployment & { tasks: Task[] },
    changes: Record<string, Partial<Task>>,
    more?: Partial<Deployment>,
  ): void;
  /** Ends every stream as a restart would; `refuse` keeps the door shut until it is called again with false. */
  drop(refuse?: boolean): void;
  /** The next requests are answered 401 until the session is renewed. */
  expireSession(): void;
  role: "admin" | "deployer" | "viewer";
  stop(): Promise<void>;
}

interface Stream {
  id: string;
  topics: Set<string>;
  send: (event: LiveEvent, id: number) => void;
  close: () => void;
}
const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
};
const encoder = new TextEncoder();

export function startFixtureServer(folder: string): FixtureServer {
  const calls: FixtureServer["calls"] = [];
  const streams = new Set<Stream>();
  const told: { id: number; event: LiveEvent }[] = [];
  const logs = new Map<string, Uint8Array>();
  let refuses = false;
  let isExpired = false;
  let lastStream = 0;

  const emit = (event: LiveEvent) => {
    const id = told.length + 1;
    told.push({ id, event });
    for (const stream of streams) stream.send(event, id);
  };
  const isWanted = (stream: Stream, event: LiveEvent) =>
    topicsOf(event)?.some((topic) => stream.topics.has(topic)) ?? true;

  function openStream(url: URL): Response {
    if (refuses) return problem(503, "starting", "The master is starting.");
    const id = `s${++lastStream}`;
    let end = () => false;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const send = (event: LiveEvent, at: number) => {
          if (event.type === "stream" || isWanted(stream, event)) {
            controller.enqueue(encoder.encode(`event: ${event.type}\nid: ${at}\ndata: ${JSON.stringify(event)}\n\n`));
          }
        };
        const stream: Stream = {
          id,
          topics: topicsIn(url.searchParams.get("topics")!.split(",")),
          send,
          close: () => controller.close(),
        };
        streams.add(stream);
        end = () => streams.delete(stream);
        const resume = Number(url.searchParams.get("lastEventId") ?? told.length);
        send({ type: "stream", streamId: id }, resume);
        for (const one of told) if (one.id > resume) send(one.event, one.id);
      },
      cancel: () => void end(),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname.replace(/^\/api\/v1/, "");
    const { method } = request;
    if (!url.pathname.startsWith("/api/")) return await file(folder, url.pathname);
    const body = method === "GET" ? undefined : await request.json().catch(() => undefined);
    const cookie = request.headers.get("cookie") ?? "";
    if (path === "/auth/login") {
      return body.password === "correct horse battery"
        ? json({ user: me(), accessToken: "a", refreshToken: "r", expiresIn: 900 }, {
          "set-cookie": "boreas=1; HttpOnly; SameSite=Strict; Path=/",
        })
        : problem(401, "auth.login", "This username and password do not belong together.");
    }
    if (path === "/auth/refresh" && cookie.includes("boreas=1")) {
      isExpired = false;
      calls.push({ method, path, body });
      return json({});
    }
    if (!cookie.includes("boreas=1") || isExpired) return problem(401, "auth.missing", "Sign in first.");
    if (path === "/live") return openStream(url);
    const setTopics = path.match(/^\/live\/(\w+)\/topics$/);
    if (setTopics) {
      const stream = [...streams].find((one) => one.id === setTopics[1]);
      if (!stream) return problem(404, "live.stream", "This stream is not open here.");
      stream.topics = topicsIn(body.topics);
      return json({ topics: body.topics, refused: [] });
    }
    if (method !== "GET" && !path.endsWith("/preview")) calls.push({ method, path, body });
    return route(method, path, url, body);
  }

  const me = () => ({
    id: data.environments[0]!.id,
    username: "maria",
    role: server.role,
    createdAt: data.secondsAgo(9e6),
  });

  function route(
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
      applications: data.applications,
      environments: data.environments,
      versions: data.versions,
      agents: data.agents,
      "agent-upgrades": data.upgrades,
      repositories: data.repositories,
      secrets,
      notifications,
      triggers,
      "trigger-runs": triggerRuns,
      tokens: [
        {
          id: data.agents[0]!.id,
          name: "ci",
          role: "deployer",
          createdAt: data.secondsAgo(9e5),
          expiresAt: data.secondsAgo(-9e6),
          lastUsedAt: data.secondsAgo(400),
        } as never,
      ],
      deployments: Object.values(data.deployments),
    };
    if (path === "/auth/me") return json(me());
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
    if (list === "tasks" && part === "logs") return logBytes(id!, url);
    if (path === "/deployments/preview") return json(preview(body));
    if (path === "/enrollment-tokens") {
      const token = "bet_" + "x".repeat(43);
      const line = `{ echo BOREAS_TOKEN=${token}; curl -fsS ${url.origin}/api/v1/install.sh; } | sudo sh`;
      return json({ id: data.agents[0]!.id, usesLeft: body.uses, approveFirst: body.approveFirst, token, line });
    }
    if (list === "deployments" && part === "timeline") return json({ items: timeline(id!) });
    if (list === "repositories" && part === "statuses") return json({ items: data.commitStatuses, nextCursor: null });
    if (list === "triggers" && part === "runs") return json({ items: triggerRuns, nextCursor: null });
    if (list === "triggers" && method === "POST" && !id && body.on === "cron" && !body.repositoryId) {
      const message = "is missing: the clock does not say whose version to take";
      return problem(400, "trigger.invalid", `repositoryId ${message}.`, [{ path: "repositoryId", message }]);
    }
    if (list === "triggers" && part === "fire") return json({ ...triggerRuns[1], dryRun: true });
    if (list === "notifications" && part === "deliveries") {
      return json({ items: notificationDeliveries, nextCursor: null });
    }
    if (part === "deliveries") return json({ items: data.deliveries, nextCursor: null });
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
        items: data.environments.slice(0, 2).map((e) => ({
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
      const { id: environmentId, name: environment } = data.environments[0]!;
      const by = { source: "person", environmentId, environment, applications: null, cron: null, tz: null, for: null };
      const times = { isActive: true, from: "2026-01-01T00:00:00Z", until: "2999-01-01T00:00:00Z" };
      const said = { reason: "Stocktaking.", overrideRole: "incident", createdBy: "lead" };
      return json({ items: [{ id: environmentId, ...by, ...times, ...said }] });
    }
    if (list === "versions" && part === "status") {
      const of = Object.values(data.deployments).filter((d) => d.versionId === id);
      return json({ versionId: id, deployments: of, running: [] });
    }
    const known = rows[list!];
    if (method !== "GET") {
      return list === "deployments" && !id ? json(data.deployments.pending) : json(rows[list!]?.[0] ?? {});
    }
    if (!known) return problem(404, "route.unknown", "There is nothing at this address.");
    if (!id) return json({ items: known, nextCursor: null });
    const row = known.find((one) => one.id === id);
    return row ? json(row) : problem(404, `${list}.unknown`, "There is nothing with this id.");
  }

  function logBytes(taskId: string, url: URL): Response {
    const all = logs.get(`${taskId}@${url.searchParams.get("attempt")}`) ?? new Uint8Array();
    const from = Number(url.searchParams.get("offset") ?? 0);
    const to = Math.min(all.length, from + Number(url.searchParams.get("limit") ?? all.length));
    return new Response(all.slice(from, to), { headers: { "x-next-offset": String(Math.max(from, to)) } });
  }

  const listener = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const response = await answer(request);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.headers.set(name, value);
    return response;
  });
  const server: FixtureServer = {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    calls,
    streams: () => streams.size,
    emit,
    log(taskId, text, attempt = 1) {
      const bytes = typeof text === "string" ? encoder.encode(text) : text;
      const key = `${taskId}@${attempt}`;
      const known = logs.get(key) ?? new Uint8Array();
      const all = new Uint8Array(known.length + bytes.length);
      all.set(known);
      all.set(bytes, known.length);
      logs.set(key, all);
      if (streams.size === 0) return;
      const piece = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
      emit({ type: "log", taskId, attempt, offset: known.length, encoding: "base64", data: piece });
    },
    change(deployment, changes, more = {}) {
      const at = new Date().toISOString();
      for (const task of deployment.tasks) Object.assign(task, changes[task.name], { updatedAt: at });
      const tops = deployment.tasks.filter((task) => task.parentId === null && task.type !== "rollback");
      const progress = Object.fromEntries(Map.groupBy(tops, (t) => t.status).entries().map(([s, l]) => [s, l.length]));
      Object.assign(deployment, more, { updatedAt: at, progress });
      const { tasks, ...plain } = deployment;
      emit({ type: "deployment", at, deployment: plain });
      emit({ type: "tasks", at, deploymentId: deployment.id, tasks });
    },
    drop(refuse = false) {
      refuses = refuse;
      for (const stream of streams) stream.close();
      streams.clear();
    },
    expireSession: () => void (isExpired = true),
    role: "admin",
    async stop() {
      this.drop(true);
      await listener.shutdown();
    },
  };
  return server;
}

const topicsIn = (topics: string[]) => new Set(topics.map(topicKey));
const json = (body: unknown, headers: Record<string, string> = {}) => Response.json(body, { headers });
const problem = (status: number, code: string, detail: string, errors?: { path: string; message: string }[]) =>
  Response.json({ type: "about:blank", title: code, status, code, detail, errors }, { status });

async function file(folder: string, path: string): Promise<Response> {
  const name = /\.\w+$/.test(path) ? path : "/index.html";
  try {
    return new Response(await Deno.readFile(folder + name), {
      headers: { "content-type": TYPES[name.split(".").at(-1)!] ?? "" },
    });
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return problem(404, "file.unknown", name);
    throw error;
  }
}

function overview(): Overview {
  const deployments = Object.values(data.deployments);
  const [staging, production] = data.environments;
  return {
    counts: {
      applications: data.applications.length,
      environments: data.environments.length,
      repositories: 1,
      agentsConnected: 3,
      agents: 4,
      deploymentsActive: deployments.filter((d) => d.status === "running").length,
      deploymentsWaiting: 1,
      failedDeliveries: 1,
    },
    environments: data.environments,
    applications: data.applications,
    grid: data.applications.flatMap((app, at) => [
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
    deployments: deployments.map(({ tasks: _, ...plain }) => plain),
  };
}

const states = (environmentId: string): AppStateItem[] =>
  data.applications.flatMap((app, at) =>
    ["m1.eu", "m2.eu"].slice(0, at === 3 ? 2 : 1).map((target) => ({
      applicationId: app.id,
      application: app.name,
      environmentId,
      target,
      versionId: data.versions[3]!.id,
      version: "v1.4.0",
      health: at === 2 ? "degraded" as const : at === 1 ? "unknown" as const : "healthy" as const,
      sync: at === 4 ? "out_of_sync" as const : at === 1 ? "unknown" as const : "synced" as const,
      details: at === 2 ? { trouble: "http :31002/healthz answered 503" } : {},
      updatedAt: data.secondsAgo(5000 + at),
      agent: {
        id: data.agents[0]!.id,
        name: target,
        connected: at !== 1,
        lastSeenAt: data.secondsAgo(at === 1 ? 700 : 5),
      },
      lastHealth: "healthy" as const,
      lastSync: "synced" as const,
      observedAt: data.secondsAgo(40),
      healthSince: data.secondsAgo(4000),
      observedVersion: "v1.4.0",
      resources: [
        {
          kind: "process" as const,
          name: `pid ${800 + at}`,
          state: "running",
          startedAt: data.secondsAgo(4990),
          restarts: at,
          details: {},
        },
      ],
      differences: at === 4 ? drifted : [],
      drift: at === 4 ? drifted.slice(0, 1) : [],
      driftMode: at === 4 ? "heal" as const : "report" as const,
      healing: at === 4 ? { tries: [1, 2], deploymentId: data.deployments.running!.id } : null,
    }))
  );

const drifted = [
  { path: "env.LOG_LEVEL", expected: "info", actual: "debug" },
  { path: "labels.team", expected: "trade", actual: "none" },
];

const history = () =>
  Object.values(data.deployments).map((d) => ({
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

function timeline(id: string) {
  const deployment = Object.values(data.deployments).find((d) => d.id === id)!;
  const entry = (taskId: string | null, kind: string, why: ReturnType<typeof reason>, age: number) => ({
    id: Math.round(1e6 - age * 10),
    at: data.secondsAgo(age),
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
function preview({ strategy }: { strategy?: unknown }) {
  const [user, order, payment, catalog] = data.applications.map((app) => app.name);
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
