/** What the deploys of this machine reach its proxy by. */
import { dirname } from "node:path";
import type { Logger } from "../domain/ports.ts";
import { createProxyClient } from "../host/proxy/client.ts";
import { findUnits } from "../host/systemd/units.ts";
import { createMachineRouter } from "../operators/pm/route/machine_router.ts";
import type { Router } from "../operators/pm/router.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import { proxyCommand, proxyFolder } from "./proxy.ts";

/** What the runtime itself looks for; nothing of the agent's own. */
const PASSED_ON = ["HOME", "DENO_DIR", "XDG_CACHE_HOME", "LANG", "TZ"];

/** @param root the folder of applications, in the agent's state folder */
export function createRouter(root: string, logger: Logger): Router {
  const stateDir = dirname(root);
  const { command, env } = proxyCommand(stateDir);
  const passed = PASSED_ON.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return createMachineRouter(createProxyClient({
    folder: proxyFolder(stateDir),
    version: PRODUCT_VERSION,
    command,
    env: { ...Object.fromEntries(passed), ...env },
    units: findUnits(),
    log: (level, message, context) => logger.log(level, message, context),
  }));
}
