/**
 * The agent's end of the proxy: starts the process when a route needs one, keeps it up while the agent lives, and puts
 * the one of this version in the place of an older one. The process itself outlives the agent.
 */
import { portHolder } from "../process_ports.ts";
import { adoptProcess, startProcess } from "../process.ts";
import type { KeptProcess } from "../process.ts";
import { processFiles } from "../process_files.ts";
import { SYSTEM_PATH } from "../process_run.ts";
import type { Units } from "../systemd/units.ts";
import { askProxy } from "./control.ts";
import type { Answer, Command, Status } from "./control.ts";
import { findRoute, isSameRoute } from "./routes.ts";
import type { Backend, PublicPort } from "./routes.ts";
import { PROXY_FILES, readRoutes } from "./run_proxy.ts";
import { passOnWaiting } from "./waiting_connections.ts";

const START_MS = 20_000;
const LOOK_MS = 20;
const AGAIN_MS = [0, 1000, 2000, 5000, 10_000, 30_000];
/** A proxy that stood so long was well: the next restart comes at once again. */
const WELL_MS = 60_000;
const LOG_BYTES = 4 * 1024 * 1024;
/** What a socket's address has room for. */
const SOCKET_PATH_BYTES = 100;

export interface ProxyOptions {
  /** Absolute; the proxy's own. */
  folder: string;
  version: string;
  /** Starts `runProxy` for the folder. */
  command: string[];
  env: Readonly<Record<string, string>>;
  /** Where systemd runs, the proxy has units of its own: `boreas-proxy@a`, and `@b` for the one that takes its place. */
  units?: Units | undefined;
  log(level: "INFO" | "WARN" | "ERROR", message: string, context?: Record<string, unknown>): void;
}
type Slot = "a" | "b";
const unitOf = (slot: Slot) => `boreas-proxy@${slot}.service`;
export type Switched = { ok: true } | { ok: false; code: string; message: string };

export function createProxyClient({ folder, version, command, env, units, log }: ProxyOptions) {
  const socket = `${folder}/${PROXY_FILES.control}`;
  const runOf = (slot: Slot) => `${folder}/${slot}/run`;
  let watched: KeptProcess | undefined;
  let isClosed = false;
  let starting: Promise<void> | undefined;

  async function status(): Promise<Status | undefined> {
    const answer = await askProxy(socket, { do: "status" });
    return answer?.ok ? answer.status : undefined;
  }

  /** The run of the two that is free: an older proxy may still answer in the other. */
  async function launch(): Promise<void> {
    if (socket.length > SOCKET_PATH_BYTES) {
      throw new Error(`the path ${socket} is too long for a socket; choose a shorter BOREAS_STATE_DIR`);
    }
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const runs = { a: await adoptProcess(runOf("a")), b: await adoptProcess(runOf("b")) };
    const isUp = (slot: Slot) => runs[slot] !== undefined && !runs[slot].hasEnded();
    const serves = (await status())?.pid;
    const isAServing = isUp("a") && (runs.a!.pid === serves || !isUp("b"));
    const [slot, other] = isAServing ? ["b", "a"] as const : ["a", "b"] as const;
    if (isUp(slot)) await endRetired(slot, runs[slot]!);
    for (const run of Object.values(runs)) run?.forget();
    if (serves !== undefined && !await passOnWaiting()) {
      log("INFO", "connections that the running proxy has not accepted when it is replaced may be reset", {
        because: "the kernel is older than 5.14, or does not let us tell it to pass them on",
      });
    }
    const kept = await startIn(slot);
    for (let waited = 0; waited < START_MS; waited += LOOK_MS) {
      if ((await status())?.pid === kept.pid) {
        await units?.enable(unitOf(slot));
        await units?.disable(unitOf(other)); // it ends by itself, when what is open to it has ended
        return watch(kept);
      }
      if (kept.hasEnded()) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const said = (await kept.lastLines(5)).join(" / ");
    await kept.signal("KILL");
    throw new Error(`the proxy did not start${said ? `: ${said}` : ""}`);
  }

  /** Replaced before, it still has connections; but its run is needed, and two proxies at a time are enough. */
  async function endRetired(slot: Slot, kept: KeptProcess): Promise<void> {
    log("WARN", "ending a proxy that was replaced long since, with the connections it still had", { pid: kept.pid });
    await units?.remove(unitOf(slot), `${folder}/${slot}`, 5);
    await kept.signal("KILL");
    await kept.ended;
  }

  async function startIn(slot: Slot): Promise<KeptProcess> {
    const start = { command, cwd: folder, env: { PATH: SYSTEM_PATH, ...env }, keepBytes: LOG_BYTES };
    if (!units) {
      await processFiles.remove(runOf(slot));
      return await startProcess({ ...start, folder: runOf(slot) });
    }
    const place = `${folder}/${slot}`;
    await Deno.mkdir(place, { recursive: true, mode: 0o700 });
    return await units.start({
      ...start,
      name: await units.chooseName(place, [unitOf(slot)]),
      description: "The public ports of applications that Boreas deploys",
      folder: place,
      // It ends well only when another one has taken its place.
      restart: { policy: "on-failure", count: 1000, windowSeconds: 600 },
      stop: { signal: "TERM", graceSeconds: 5 },
    });
  }

  function watch(kept: KeptProcess): void {
    watched?.forget();
    watched = kept;
    const since = performance.now();
    void kept.ended.then(async ({ code }) => {
      if (isClosed || watched !== kept || readRoutes(`${folder}/${PROXY_FILES.routes}`).length === 0) return;
      log("ERROR", "the proxy of the public ports ended; starting it again", { code });
      // systemd does it by itself; a look some seconds later finds the new one.
      await startAgain(units ? 3 : performance.now() - since > WELL_MS ? 0 : 1);
    });
  }

  async function startAgain(tries: number): Promise<void> {
    const timer = Promise.withResolvers<void>();
    setTimeout(timer.resolve, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)]);
    await timer.promise;
    if (isClosed) return;
    try {
      await ensure();
    } catch (error: unknown) {
      log("ERROR", "the proxy of the public ports could not be started", { error: String(error) });
      await startAgain(tries + 1);
    }
  }

  /** A proxy of this version runs when it resolves. */
  const ensure = (): Promise<void> => starting ??= ensureOnce().finally(() => starting = undefined);
  async function ensureOnce(): Promise<void> {
    const now = await status();
    if (now?.version !== version) {
      if (now) log("INFO", "putting a new proxy in the place of the running one", { from: now.version, to: version });
      return await launch();
    }
    if (watched?.pid === now.pid) return;
    for (const slot of ["a", "b"] as const) {
      const kept = await adoptProcess(runOf(slot));
      if (kept?.pid === now.pid) watch(kept);
      else kept?.forget();
    }
  }

  async function ask(question: Command): Promise<Answer> {
    for (let tries = 1;; tries++) {
      await ensure();
      const answer = await askProxy(socket, question);
      const isElsewhere = answer === undefined || (!answer.ok && answer.code === "proxy.retired");
      if (answer && (!isElsewhere || tries === 3)) return answer;
      if (tries === 3) throw new Error("the proxy of the public ports does not answer");
    }
  }

  return {
    /** Once, when the agent starts: routes that stand need a proxy of this version. */
    async start(): Promise<void> {
      if (readRoutes(`${folder}/${PROXY_FILES.routes}`).length === 0) return;
      await ensure().catch((error: unknown) => {
        log("ERROR", "the proxy of the public ports could not be started", { error: String(error) });
        void startAgain(1); // the agent has other work, too
      });
    },
    async switchTo(route: PublicPort, backend: Backend): Promise<Switched> {
      const answer = await ask({ do: "switch", route, backend });
      if (answer.ok) return { ok: true };
      if (answer.code !== "port.taken") return answer;
      return {
        ...answer,
        message: `port ${route.listen} is taken by ${await portHolder(route.listen) ?? "another program"}`,
      };
    },
    async serving(route: PublicPort): Promise<Backend | undefined> {
      const now = await status();
      return now && !now.missing.includes(route.listen) ? findRoute(now.routes, route)?.backend : undefined;
    },
    async drain(backend: Backend, seconds: number): Promise<number> {
      const answer = await askProxy(socket, { do: "drain", backend, seconds });
      return answer?.ok ? answer.open ?? 0 : 0; // no proxy, no connection of its
    },
    async remove(route: PublicPort): Promise<void> {
      const routes = readRoutes(`${folder}/${PROXY_FILES.routes}`);
      if (routes.some((stored) => isSameRoute(stored, route))) await ask({ do: "remove", route });
    },
    status,
    /** The process runs on. */
    close(): void {
      isClosed = true;
      watched?.forget();
    },
  };
}
export type ProxyClient = ReturnType<typeof createProxyClient>;
