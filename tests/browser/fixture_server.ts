/**
 * The built dashboard in front of canned answers and a stream that the test scripts: for the dashboard's own tests, which
 * want every state at will. The walk through the real product is another test.
 */
import { SECURITY_HEADERS } from "../../api/middleware/request_context.ts";
import { topicKey, topicsOf } from "../../web/live/messages.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { Deployment, Task } from "../../protocol/http_api.ts";
import { environments, secondsAgo } from "./fixture_data.ts";
import { answerRoute, json, problem } from "./fixture_routes.ts";

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
    if (path === "/auth/me") return json(me());
    const log = path.match(/^\/tasks\/([^/]+)\/logs$/);
    if (log) return logBytes(log[1]!, url);
    return answerRoute(method, path, url, body);
  }

  const me = () => ({
    id: environments[0]!.id,
    username: "maria",
    role: server.role,
    createdAt: secondsAgo(9e6),
  });

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
