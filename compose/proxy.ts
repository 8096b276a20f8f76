/** `boreas agent proxy`: holds the machine's public ports. Started by the agent, which it outlives. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createClock } from "../host/clock.ts";
import { createLogger } from "../host/logger.ts";
import { runProxy } from "../host/proxy/run_proxy.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import type { Env } from "./settings.ts";

export const proxyFolder = (stateDir: string): string => join(stateDir, "proxy");

export async function runProxyProcess(env: Env): Promise<number> {
  const logger = createLogger({
    service: "proxy",
    level: env("BOREAS_LOG_LEVEL"),
    format: env("BOREAS_LOG_FORMAT"),
    isTerminal: Deno.stderr.isTerminal(),
    clock: createClock(),
  });
  const folder = proxyFolder(resolve(env("BOREAS_STATE_DIR") || "/var/lib/boreas"));
  await runProxy({
    folder,
    version: env("BOREAS_PROXY_VERSION") || PRODUCT_VERSION,
    log: (message, context) => logger.log("INFO", message, context),
  });
  return 0;
}

/** What starts it, from wherever this agent was started: its bundle, or a checkout. May touch its folder and ports only. */
export function proxyCommand(
  stateDir: string,
  version = PRODUCT_VERSION,
  main = Deno.mainModule,
): { command: string[]; env: Record<string, string> } {
  const folder = proxyFolder(stateDir);
  const isBundle = main.endsWith(".js");
  return {
    command: [
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-prompt",
      ...(isBundle ? ["--no-config"] : []),
      "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=25",
      "--allow-net",
      "--allow-env=BOREAS_*",
      "--ignore-env",
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
      fileURLToPath(main),
      ...(isBundle ? ["proxy"] : ["agent", "proxy"]),
    ],
    // One arena of the allocator instead of one per thread, and what is free goes back: half of its own memory.
    env: {
      BOREAS_STATE_DIR: stateDir,
      BOREAS_PROXY_VERSION: version,
      BOREAS_LOG_FORMAT: "json",
      DENO_NO_UPDATE_CHECK: "1",
      MALLOC_ARENA_MAX: "1",
      MALLOC_TRIM_THRESHOLD_: "131072",
    },
  };
}
