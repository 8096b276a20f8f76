/**
 * The process that holds the machine's public ports. It knows nothing of agents, masters or deployments:
 *
 *   folder/routes.json   where requests go; written before a switch is answered, and all that a new process needs
 *   folder/control.sock  who is asked (control.ts)
 *   folder/retired.sock  the proxy before this one, while connections of its time live on
 *   folder/turn.lock     locked by one that starts, until it is asked
 *
 * A new proxy beside a running one (an upgrade) binds the same ports, moves the old one's socket aside, tells it to
 * retire and takes its place. A crash anywhere in between leaves one that serves, and the next one retires it.
 */
import type { IncomingMessage } from "node:http";
import { processFiles } from "../process_files.ts";
import { askProxy, serveControl } from "./control.ts";
import type { Answer, Command } from "./control.ts";
import { forward } from "./forward.ts";
import type { Lane } from "./forward.ts";
import { Listeners } from "./listeners.ts";
import { chooseRoute, findRival, findRoute, isSameBackend, portsOf, withoutRoute, withRoute } from "./routes.ts";
import type { Backend, PublicPort, Route } from "./routes.ts";
import { Traffic } from "./traffic.ts";
import { tunnel } from "./tunnel.ts";

export const PROXY_FILES = {
  routes: "routes.json",
  control: "control.sock",
  retired: "retired.sock",
  turn: "turn.lock",
};

/** How long a retired proxy waits for the next request on a kept connection, and for what is open. */
const IDLE_MS = 60_000;
const OPEN_MS = 3600_000;
const RETRY_MS = 1000;

export interface ProxyOptions {
  folder: string;
  version: string;
  log(message: string, context?: Record<string, unknown>): void;
}

/** Resolves when the process may end: another one has taken its place, and nothing is open here any more. */
export async function runProxy({ folder, version, log }: ProxyOptions): Promise<void> {
  const file = `${folder}/${PROXY_FILES.routes}`;
  const control = `${folder}/${PROXY_FILES.control}`;
  const retired = `${folder}/${PROXY_FILES.retired}`;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  await Deno.chmod(folder, 0o700);

  // Of two that start at once, such as systemd's and the agent's at boot, the second finds the first.
  const turn = await Deno.open(`${folder}/${PROXY_FILES.turn}`, { create: true, write: true, mode: 0o600 });
  await turn.lock(true);

  let routes = readRoutes(file);
  let isRetired = false;
  const over = Promise.withResolvers<void>();
  const current = () => isRetired ? readRoutes(file) : routes;
  const traffic = new Traffic((backend) => current().some((route) => isSameBackend(route.backend, backend)));
  const laneOf = (listen: number, request: IncomingMessage): Lane => ({
    traffic,
    choose: () => chooseRoute(current(), listen, request.headers.host)?.backend,
    isLast: () => isRetired,
  });
  const listeners = new Listeners({
    request: (listen, request, response) => forward(request, response, laneOf(listen, request)),
    upgrade: (listen, request, socket, head) => tunnel(request, socket, head, laneOf(listen, request)),
  });
  const missing = () => portsOf(routes).filter((port) => !listeners.has(port));

  const isBeside = await askProxy(control, { do: "status" }) !== undefined;
  // A proxy that died right after it had moved that socket aside left one that does not know that it is to retire.
  const isLeft = !isBeside && await askProxy(retired, { do: "status" }) !== undefined;
  for (const port of portsOf(routes)) {
    const bound = await listeners.bind(port, isBeside || isLeft);
    if (!bound.ok) log("a public port cannot be had; trying again every second", { port, why: bound.message });
  }
  if (isBeside) await processFiles.rename(control, retired);
  if (isBeside || isLeft) {
    await askProxy(retired, { do: "retire" });
    routes = readRoutes(file); // it may have switched until that very moment
  }

  async function store(next: Route[]): Promise<void> {
    await processFiles.writeText(file, JSON.stringify({ routes: next }, null, 2) + "\n", 0o600);
    const gone = routes.filter(({ backend }) => !next.some((route) => isSameBackend(route.backend, backend)));
    routes = next;
    for (const { backend } of gone) traffic.letGo(backend);
  }

  async function switchTo(route: PublicPort, backend: Backend): Promise<Answer> {
    const rival = findRival(routes, route);
    if (rival) {
      const what = `${rival.app} in ${rival.environment}`;
      return { ok: false, code: "route.taken", message: `port ${route.listen} for this host belongs to ${what}` };
    }
    const bound = await listeners.bind(route.listen);
    if (!bound.ok) return bound;
    const { app, environment, listen, host } = route;
    await store(withRoute(routes, { app, environment, listen, host, backend }));
    return { ok: true };
  }

  async function drain(backend: Backend, seconds: number): Promise<Answer> {
    const here = traffic.drained(backend, seconds * 1000);
    const before = isRetired ? undefined : await askProxy(retired, { do: "drain", backend, seconds });
    return { ok: true, open: await here + (before?.ok ? before.open ?? 0 : 0) };
  }

  async function remove(route: PublicPort): Promise<Answer> {
    if (findRoute(routes, route)) await store(withoutRoute(routes, route));
    for (const port of listeners.ports()) if (!portsOf(routes).includes(port)) listeners.close(port);
    return { ok: true };
  }

  function retire(): Answer {
    if (!isRetired) {
      isRetired = true;
      const { over: closed, endIdle } = listeners.retire();
      const timers = [setTimeout(endIdle, IDLE_MS), setTimeout(over.resolve, OPEN_MS)];
      closed.then(() => {
        for (const timer of timers) clearTimeout(timer);
        over.resolve();
      });
    }
    return { ok: true };
  }

  const act = (command: Command): Promise<Answer> | Answer => {
    switch (command.do) {
      case "status":
        return {
          ok: true,
          status: {
            version,
            pid: Deno.pid,
            routes,
            missing: missing(),
            open: routes.map(({ backend }) => traffic.open(backend)),
          },
        };
      case "drain":
        return drain(command.backend, command.seconds);
      case "retire":
        return retire();
      case "switch":
        return isRetired ? RETIRED : switchTo(command.route, command.backend);
      case "remove":
        return isRetired ? RETIRED : remove(command.route);
    }
  };
  // What changes the routes goes one after the other; a drain may take minutes and changes nothing.
  let last: Promise<unknown> = Promise.resolve();
  const answer = (command: Command): Promise<Answer> => {
    if (command.do === "status" || command.do === "drain") return Promise.resolve(act(command));
    const next = last.then(() => act(command));
    last = next.catch(() => {});
    return next;
  };
  serveControl(control, answer, (error) => log("a control connection broke", { error: String(error) }));
  turn.close(); // and with it the lock, as with the end of the process
  const again = setInterval(async () => {
    for (const port of isRetired ? [] : missing()) {
      if ((await listeners.bind(port)).ok) log("a public port is held now", { port });
    }
  }, RETRY_MS);
  log("holding the public ports", { ports: listeners.ports(), routes: routes.length });
  await over.promise;
  clearInterval(again);
}

const RETIRED: Answer = { ok: false, code: "proxy.retired", message: "another proxy has taken this one's place" };

export function readRoutes(file: string): Route[] {
  try {
    return (JSON.parse(Deno.readTextFileSync(file)) as { routes: Route[] }).routes;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
