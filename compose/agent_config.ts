/**
 * What an installed agent is told: `/etc/boreas/agent.yaml` (the launcher says where in BOREAS_CONFIG) stands for the
 * environment variables of the same meaning; a variable that is set comes first.
 */
import { parse } from "yaml";
import { z } from "zod";
import type { Env } from "./settings.ts";

/** Key of the file -> variable. What else stands in the file is the machine's own policy. */
const VARIABLES = {
  url: "BOREAS_URL",
  caFingerprint: "BOREAS_CA_FINGERPRINT",
  name: "BOREAS_NAME",
  slots: "BOREAS_SLOTS",
  spoolBytes: "BOREAS_SPOOL_BYTES",
  tokenFile: "BOREAS_TOKEN_FILE",
  stateDir: "BOREAS_STATE_DIR",
  httpsProxy: "HTTPS_PROXY",
  noProxy: "NO_PROXY",
  logLevel: "BOREAS_LOG_LEVEL",
} as const;
const Connection = z.object(
  Object.fromEntries(Object.keys(VARIABLES).map((key) => [key, z.union([z.string(), z.number()]).optional()])),
);

export async function withAgentConfig(env: Env): Promise<Env> {
  const path = env("BOREAS_CONFIG");
  if (!path) return env;
  const found = readConnection(path, await Deno.readTextFile(path));
  const values = new Map(
    Object.entries(VARIABLES).flatMap(([key, variable]) =>
      found[key] === undefined ? [] : [[variable as string, String(found[key])] as const]
    ),
  );
  return (name) => env(name) || values.get(name);
}

function readConnection(path: string, text: string): Record<string, string | number | undefined> {
  let document: unknown;
  try {
    document = parse(text) ?? {};
  } catch (error: unknown) {
    throw new Error(`${path} is no YAML: ${(error as Error).message.split("\n")[0]}`, { cause: error });
  }
  const { success, data, error } = Connection.safeParse(document);
  if (success) return data as Record<string, string | number | undefined>;
  const [issue] = error.issues;
  throw new Error(`${path}: ${issue!.path.join(".") || "the file"} must be a text or a number.`);
}
