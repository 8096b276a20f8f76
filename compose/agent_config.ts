/**
 * What the keeper of a machine writes down for its agent: `/etc/boreas/agent.yaml`, or the file that BOREAS_AGENT_CONFIG
 * names. The part about the connection stands for the environment variables of the same meaning, and a variable that is
 * set comes first; the policy stands here alone.
 */
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import type { Env } from "./settings.ts";

const MODES = ["docker", "binary", "script"] as const;
const absolutePath = z.string().regex(/^\/[^\0]*$/, "must be an absolute path")
  .refine((path) => !path.split("/").includes(".."), "must not lead upwards");
const LocalPolicy = z.strictObject({
  modes: z.array(z.enum(MODES)).default([...MODES]),
  users: z.array(z.string().min(1)).optional(),
  paths: z.array(absolutePath).optional(),
  registries: z.array(z.string().min(1)).optional(),
  images: z.array(z.string().min(1)).optional(),
  maxSlots: z.int().min(0).max(1000).optional(),
});
export type LocalPolicy = z.infer<typeof LocalPolicy>;

const DEFAULT_PATH = "/etc/boreas/agent.yaml";
/** Key of the file -> variable. */
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
type Key = keyof typeof VARIABLES;
const value = z.union([z.string(), z.number()], "must be a text or a number").optional();
const AgentFile = z.strictObject({
  ...Object.fromEntries(Object.keys(VARIABLES).map((key) => [key, value])) as Record<Key, typeof value>,
  policy: LocalPolicy.optional(),
});

export interface AgentConfig {
  env: Env;
  /** Without one everything is allowed that the agent's own user may do. */
  policy: LocalPolicy | undefined;
}

/** @throws Error with a sentence that names file, line and key */
export async function readAgentConfig(env: Env): Promise<AgentConfig> {
  const chosen = env("BOREAS_AGENT_CONFIG");
  const path = chosen || DEFAULT_PATH;
  const text = await readFile(path, !chosen);
  if (text === undefined) return { env, policy: undefined };
  const { policy, ...found } = parseAgentFile(path, text);
  const values = new Map(
    (Object.keys(VARIABLES) as Key[]).flatMap((key) =>
      found[key] === undefined ? [] : [[VARIABLES[key] as string, String(found[key])] as const]
    ),
  );
  return { env: (name) => env(name) || values.get(name), policy };
}

export const withAgentConfig = async (env: Env): Promise<Env> => (await readAgentConfig(env)).env;

/** A policy that somebody else may rewrite is none. */
async function readFile(path: string, mayBeAbsent: boolean): Promise<string | undefined> {
  try {
    const { mode } = await Deno.stat(path);
    if (mode !== null && (mode & 0o022) !== 0) {
      throw new Error(`${path} may be changed by others than its owner; run: chmod go-w ${path}`);
    }
    return await Deno.readTextFile(path);
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound && mayBeAbsent) return undefined;
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(`There is no ${path}, which BOREAS_AGENT_CONFIG names.`, { cause: error });
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new Error(
        `${path} says what this machine allows, and this user may not read it; set BOREAS_AGENT_CONFIG to a file of its own.`,
        { cause: error },
      );
    }
    throw error;
  }
}

export function parseAgentFile(path: string, text: string): z.infer<typeof AgentFile> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken) throw new Error(`${path} is no YAML: ${broken.message.split("\n")[0]}`);
  const { success, data, error } = AgentFile.safeParse(document.toJS() ?? {});
  if (success) return data;
  const [issue] = error.issues;
  const isUnknown = issue!.code === "unrecognized_keys";
  const at = [...issue!.path, ...(isUnknown ? issue!.keys.slice(0, 1) : [])] as (string | number)[];
  const node = document.getIn(isUnknown ? issue!.path as string[] : at, true) as { range?: [number] } | undefined;
  const line = node?.range ? `, line ${lines.linePos(keyOffset(text, at, node.range[0])).line}` : "";
  throw new Error(
    `${path}${line}: ${at.join(".") || "the file"} ${isUnknown ? "is no key of this file" : issue!.message}.`,
  );
}

/** Where the last key of the path stands in the text, from where its parent begins. */
function keyOffset(text: string, path: readonly (string | number)[], from: number): number {
  const key = path.at(-1);
  const found = typeof key === "string" ? text.indexOf(`${key}:`, from) : -1;
  return found < 0 ? from : found;
}
