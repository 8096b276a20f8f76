/**
 * A small server that answers as the API does, on a real socket: what a command sends and how it reads the answer is
 * tested with the real fetch, real streams and real broken connections.
 */
import type { DeploymentWithTasks, Environment, Task, Version } from "../../protocol/http_api.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";

export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Headers;
  body: unknown;
}
type Handler = (call: Call) => unknown;

export interface FakeApi {
  url: string;
  calls: Call[];
  /** `POST /deployments` -> what it answers with: a value as JSON, or a whole Response. */
  on(route: string, handler: Handler): FakeApi;
  stop(): Promise<void>;
}

export function startFakeApi(): FakeApi {
  const routes = new Map<string, Handler>();
  const calls: Call[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const url = new URL(request.url);
    const text = await request.text();
    const call: Call = {
      method: request.method,
      path: url.pathname.replace(/^\/api\/v1/, ""),
      query: url.searchParams,
      headers: new Headers(request.headers),
      body: text === "" ? undefined : JSON.parse(text),
    };
    calls.push(call);
    const handler = routes.get(`${call.method} ${call.path}`);
    if (!handler) return problem(404, "not_found", `The fake knows no ${call.method} ${call.path}.`);
    const answer = await handler(call);
    return answer instanceof Response ? answer : Response.json(answer);
  });
  const api: FakeApi = {
    url: `http://127.0.0.1:${server.addr.port}`,
    calls,
    on(route, handler) {
      routes.set(route, handler);
      return api;
    },
    stop: () => server.shutdown(),
  };
  return api;
}

export const problem = (status: number, code: string, detail: string, errors?: { path: string; message: string }[]) =>
  Response.json({ type: "about:blank", title: code, status, code, detail, errors }, {
    status,
    headers: { "content-type": "application/problem+json" },
  });

/** An event stream that sends these frames and then ends, as a connection that breaks does. */
export function stream(events: { id: string; event: LiveEvent }[]): Response {
  const text = events.map(({ id, event }) => `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join("");
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

export const uuid = (n: number): string => `0190c000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const AT = "2026-01-02T03:04:05.000Z";
export const list = (...items: unknown[]) => ({ items, nextCursor: null });
const said = (text: string) => ({ code: "test", params: {}, text });

export const version = (n: number, name: string, more: Partial<Version> = {}): Version => ({
  id: uuid(n),
  version: name,
  gitTag: null,
  gitCommit: null,
  repository: null,
  repositoryId: null,
  description: "",
  status: "normal",
  builds: "ready",
  reason: said("Recorded."),
  buildsReason: said("Ready."),
  appBuilds: {},
  applications: [],
  createdBy: "admin",
  createdAt: AT,
  ...more,
});

export const repository = {
  id: uuid(5),
  url: "https://git.example.com/shop.git",
  provider: "gitea",
  branch: "main",
  tagPattern: null,
  configPaths: ["boreas.yaml"],
  pollSeconds: 300,
  hasCredential: false,
  webhookPath: "/webhook/gitea/5",
  reason: { code: "repository.new", params: {}, text: "Not read yet." },
  lastSyncedAt: null,
  createdAt: "2026-01-01T00:00:00Z",
  updatedAt: "2026-01-01T00:00:00Z",
};

export const environment = (n: number, name: string, more: Partial<Environment> = {}): Environment => ({
  id: uuid(n),
  name,
  type: "pm",
  region: "",
  config: {},
  policy: {},
  status: "active",
  createdAt: AT,
  updatedAt: AT,
  ...more,
});

export const task = (n: number, name: string, more: Partial<Task> = {}, reason = ""): Task => ({
  id: uuid(n),
  deploymentId: uuid(900),
  parentId: null,
  appId: null,
  name,
  type: "deploy",
  step: "pending",
  status: "pending",
  dependencies: [],
  payload: {},
  result: null,
  attempt: 1,
  fence: 1,
  agentId: null,
  agent: null,
  leaseExpiresAt: null,
  reason: said(reason),
  blockedBy: [],
  createdAt: AT,
  updatedAt: AT,
  startedAt: null,
  completedAt: null,
  ...more,
});

export const deployment = (
  status: DeploymentWithTasks["status"],
  tasks: Task[] = [],
  reason = `It is ${status}.`,
): DeploymentWithTasks => ({
  id: uuid(900),
  versionId: uuid(1),
  version: "v1",
  environmentId: uuid(2),
  environment: "staging",
  status,
  reason: said(reason),
  mustInOrder: [],
  applications: tasks.map((t) => t.name),
  strategy: null,
  manualApproval: false,
  removes: false,
  approvals: { count: 0, given: [] },
  createdBy: "admin",
  errorMessage: null,
  createdAt: AT,
  updatedAt: AT,
  startedAt: null,
  completedAt: null,
  progress: {},
  tasks,
});
