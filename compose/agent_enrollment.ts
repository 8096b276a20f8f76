/** `boreas agent enroll`: trades the join token for an identity and ends, so that whoever installs sees how it went. */
import { join, resolve } from "node:path";
import { enroll, loadIdentity } from "../agents/identity.ts";
import type { Identity } from "../agents/identity.ts";
import type { Disk, Logger } from "../domain/ports.ts";
import { createClock } from "../host/clock.ts";
import { createDisk } from "../host/disk.ts";
import { readFacts } from "../host/facts.ts";
import { postJson } from "../host/http_request.ts";
import { createLogger } from "../host/logger.ts";
import { resolveMaster } from "../host/master_address.ts";
import type { MasterAddress } from "../host/master_address.ts";
import type { AgentFacts } from "../protocol/agent_messages.ts";
import { readSecretFile } from "./data_folder.ts";
import type { Env } from "./settings.ts";

/** Where the install script leaves a token for an agent that is to be started later. */
const INSTALLED_TOKEN = "enroll.token";

export const stateDirOf = (env: Env): string => resolve(env("BOREAS_STATE_DIR") || "/var/lib/boreas");

export async function findMaster(env: Env): Promise<MasterAddress> {
  const url = env("BOREAS_URL");
  if (!url) throw new Error("BOREAS_URL must be set to the address of the master, such as https://boreas.example.com.");
  return await resolveMaster({
    url,
    caFingerprint: env("BOREAS_CA_FINGERPRINT") || undefined,
    httpsProxy: env("HTTPS_PROXY") || env("https_proxy"),
    noProxy: env("NO_PROXY") || env("no_proxy"),
  });
}

export async function runEnroll(env: Env): Promise<number> {
  const clock = createClock();
  const logger = createLogger({
    service: "agent",
    level: "WARN",
    format: "text",
    isTerminal: Deno.stderr.isTerminal(),
    clock,
  });
  const stateDir = stateDirOf(env);
  const disk = await createDisk(stateDir);
  try {
    const known = await loadIdentity(disk);
    const [facts, address] = [await readFacts(["binary", "script"]), await findMaster(env)];
    const { name, agentId } = known ?? await enrollOnce(env, { stateDir, disk, facts, address, logger });
    console.log(
      known ? `This machine is enrolled already, as ${name} (${agentId}).` : `Enrolled as ${name} (${agentId}).`,
    );
    return 0;
  } finally {
    disk.close();
  }
}

export async function enrollOnce(
  env: Env,
  deps: { stateDir: string; disk: Disk; facts: AgentFacts; address: MasterAddress; logger: Logger },
  /** A token is for a machine's agent or for an operator. */
  kind: "agent" | "operator" = "agent",
): Promise<Identity> {
  const file = env("BOREAS_TOKEN_FILE") || join(deps.stateDir, INSTALLED_TOKEN);
  const token = env("BOREAS_TOKEN") || await readSecretFile(file);
  if (!token) {
    throw new Error(
      kind === "agent"
        ? "This machine is not enrolled. Set BOREAS_TOKEN (or BOREAS_TOKEN_FILE) to an enrolment token from the dashboard, under Agents."
        : "This operator is not enrolled. Set BOREAS_TOKEN (or BOREAS_TOKEN_FILE) to a token of `boreas agents token create --kind operator`.",
    );
  }
  const name = env("BOREAS_NAME") || deps.facts.hostname;
  const identity = await enroll({
    disk: deps.disk,
    facts: deps.facts,
    token,
    name,
    kind,
    post: (path, body) => postJson(deps.address, path, body),
  });
  deps.logger.log("INFO", "enrolled", { agent: identity.name });
  // Ours, and of no use to anybody who means well: a token may be good for more machines than this one.
  await Deno.remove(join(deps.stateDir, INSTALLED_TOKEN)).catch((error: unknown) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  return identity;
}
