/** Which ports of the machine people know a release by, and where its requests go. */
import type { RenderedRoute, RenderedSpec } from "../../../protocol/operation.ts";
import type { AppRecord, RunningRelease } from "../app_record.ts";
import { PmFailure } from "../failure.ts";
import type { PmParts } from "../pm_parts.ts";
import type { Routed, Router } from "../router.ts";

type Proxied = Extract<RenderedRoute, { mode: "proxy" }>;

export function requireRouter({ router, node }: Pick<PmParts, "router" | "node">): Router {
  if (router) return router;
  throw new PmFailure(
    "route.missing",
    `${node.name} has no proxy for public ports: its agent was started without one.`,
  );
}

/** undefined when no proxy stands before it. */
export function routedBy(
  { app, environment }: Pick<AppRecord, "app" | "environment">,
  route: RenderedRoute,
  ports: Readonly<Record<string, number>>,
): Routed | undefined {
  if (route.mode !== "proxy") return undefined;
  const { listen, host, port } = route satisfies Proxied;
  return { route: { app, environment, listen, host }, backend: { host: "127.0.0.1", port: ports[port]! } };
}

const isProxied = (spec: Pick<RenderedSpec, "route">) => spec.route.mode === "proxy";
const publicPorts = (spec: Pick<RenderedSpec, "route">, fixed: readonly number[]): readonly number[] =>
  spec.route.mode === "proxy" ? [spec.route.listen] : fixed;

/** Ports that the old release must let go of before the new one can have them; none when the proxy holds them for both. */
export function contestedPorts(
  old: RunningRelease | null,
  spec: Pick<RenderedSpec, "route">,
  fixed: readonly number[],
): number[] {
  if (!old?.slot || (isProxied(old.spec) && isProxied(spec))) return [];
  const held = publicPorts(old.spec, Object.values(old.ports));
  return publicPorts(spec, fixed).filter((port) => held.includes(port));
}
