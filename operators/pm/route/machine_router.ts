/** The machine's proxy as deploys see it: what it refuses becomes a sentence that a person can act on. */
import { PmFailure } from "../failure.ts";
import type { Backend, PublicPort, Router } from "../router.ts";

/** The proxy's process, as `host/proxy/client.ts` reaches it. */
export interface MachineProxy {
  start(): Promise<void>;
  switchTo(route: PublicPort, backend: Backend): Promise<{ ok: true } | { ok: false; code: string; message: string }>;
  serving(route: PublicPort): Promise<Backend | undefined>;
  drain(backend: Backend, seconds: number): Promise<number>;
  remove(route: PublicPort): Promise<void>;
  close(): void;
}

const ADVICE: Record<string, (port: number) => string> = {
  "port.taken": () => "Stop that program, or give the route another port to listen on.",
  "port.refused": (port) =>
    port < 1024
      ? "Ports below 1024 are root's: run the agent as root, or let the route listen on a higher port."
      : "Let the route listen on another port.",
  "route.taken": () => "Give one of the two another host or another port.",
};

export const createMachineRouter = (proxy: MachineProxy): Router => ({
  async switchTo(route, backend) {
    const switched = await proxy.switchTo(route, backend);
    if (switched.ok) return;
    const advice = ADVICE[switched.code]?.(route.listen) ?? "";
    const message = `${route.app} cannot be reached on port ${route.listen}: ${switched.message}. ${advice}`.trim();
    throw new PmFailure(switched.code, message, { details: { port: route.listen } });
  },
  serving: (route) => proxy.serving(route),
  drain: (_route, backend, seconds) => proxy.drain(backend, seconds),
  remove: (route) => proxy.remove(route),
  start: () => proxy.start(),
  close: () => proxy.close(),
});
