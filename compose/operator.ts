/** `boreas operator <pm|mock|k8s>`: what stands between machines and master, or stands in for machines. */
import { createClock } from "../host/clock.ts";
import { RELAY_LIMITS, startRelay } from "../host/connect_relay.ts";
import { createLogger } from "../host/logger.ts";
import { findMaster } from "./agent_enrollment.ts";
import { whole } from "./settings.ts";
import type { Env } from "./settings.ts";
import { onStopSignals } from "./stop_signals.ts";

const STATS_MS = 60_000;

export async function runOperator(env: Env, args: readonly string[]): Promise<number> {
  const [kind, ...rest] = args;
  if (kind === "pm") return await runRelay(env, readListen(rest));
  if (kind === "mock" && rest.length === 0) return await runMock(env);
  if (kind === "k8s") {
    throw new Error(
      "This release has no operator for Kubernetes yet; it comes with another one. Machines run `boreas agent`.",
    );
  }
  throw new Error("Say which: boreas operator pm --listen HOST:PORT (a site's relay), or boreas operator mock.");
}

async function runMock(env: Env): Promise<number> {
  const { runAgent } = await import("./agent.ts");
  const { createMockOperator } = await import("../operators/mock/mock_operator.ts");
  const role = { token: "operator", kind: "mock" } as const;
  return await runAgent(env, ({ clock }) => [createMockOperator({ clock })], role);
}

function readListen(args: readonly string[]): { host: string; port: number } {
  const text = args.length === 2 && args[0] === "--listen"
    ? args[1]!
    : args.length === 1
    ? args[0]!.replace(/^--listen=/, "")
    : "";
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new Error("Say where machines find it: boreas operator pm --listen HOST:PORT, such as 10.0.0.5:3128.");
  }
  return { host: (match[1] ?? match[2])!, port };
}

/** A site's relay: machines that cannot reach the master reach it through here, with HTTPS_PROXY, and nothing else. */
async function runRelay(env: Env, { host, port }: { host: string; port: number }): Promise<number> {
  const clock = createClock();
  const logger = createLogger({
    service: "relay",
    level: env("BOREAS_LOG_LEVEL"),
    format: env("BOREAS_LOG_FORMAT"),
    isTerminal: Deno.stderr.isTerminal(),
    clock,
  });
  const stop = onStopSignals();
  const master = await findMaster(env);
  const connections = whole(env, "BOREAS_RELAY_CONNECTIONS", RELAY_LIMITS.connections, 1, 100_000);
  /** One line when the trouble begins, not one per agent that dials. */
  let troubled = 0;
  const relay = await startRelay({
    host,
    port,
    master,
    limits: { connections, perAddress: Math.min(connections, RELAY_LIMITS.perAddress) },
    onTrouble(message, context) {
      if (troubled++ === 0) logger.log("WARN", message, context);
    },
  });
  console.log(
    `The relay to ${master.url.host} listens on ${relay.address}; on machines: HTTPS_PROXY=http://${relay.address}`,
  );
  let timer = clock.after(STATS_MS, tell);
  function tell(): void {
    logger.log("INFO", "relayed", { ...relay.stats(), troubled });
    troubled = 0;
    timer = clock.after(STATS_MS, tell);
  }
  await stop.first;
  timer.cancel();
  await relay.stop();
  return 0;
}
