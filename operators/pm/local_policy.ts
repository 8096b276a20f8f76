/**
 * What the keeper of a machine allows, whatever the master asks: `policy` in the machine's own file, read by the agent at
 * its start and never from the wire. An empty list allows nothing; what is not named is not limited.
 */
import { z } from "zod";
import type { Operation } from "../../protocol/operation.ts";
import type { PmPolicy } from "./policy.ts";

const absolutePath = z.string().regex(/^\/[^\0]*$/, "must be an absolute path")
  .refine((path) => !path.split("/").includes(".."), "must not lead upwards");
const MODES = ["docker", "binary", "script"] as const;

export const LocalPolicy = z.strictObject({
  modes: z.array(z.enum(MODES)).default([...MODES]),
  users: z.array(z.string().min(1)).optional(),
  paths: z.array(absolutePath).optional(),
  registries: z.array(z.string().min(1)).optional(),
  images: z.array(z.string().min(1)).optional(),
  maxSlots: z.int().min(0).max(1000).optional(),
});
export type LocalPolicy = z.infer<typeof LocalPolicy>;

/** This machine, as a refusal names it. */
export interface PolicyPlace {
  node: string;
  /** Whom programs run as that name no user: the agent's own; undefined when nobody knows. */
  user?: string | undefined;
}
export interface PolicyRefusal {
  code: "mode.refused" | "policy.user" | "policy.path";
  message: string;
}

/** Registries, images and mounts are judged where they are resolved: `docker/image.ts` and `docker/volumes.ts`. */
export function refuseByPolicy(
  policy: PmPolicy,
  { app, action, spec }: Pick<Operation, "app" | "action" | "spec">,
  { node, user }: PolicyPlace,
): PolicyRefusal | undefined {
  if (action === "remove" || !spec || spec.runtime.mode === "mock") return undefined;
  const { runtime } = spec;
  if (!policy.modes.includes(runtime.mode)) {
    return {
      code: "mode.refused",
      message: `${node} does not run ${runtime.mode} applications: its policy allows ${list(policy.modes)}.`,
    };
  }
  if (runtime.mode === "docker") return undefined;
  const runsAs = (runtime.mode === "binary" ? runtime.user : undefined) ?? user;
  if (policy.users && (runsAs === undefined || !policy.users.includes(runsAs))) {
    return {
      code: "policy.user",
      message: `${node} does not run ${app} as ${runsAs ?? "the agent's own user"}: its policy allows the users ${
        list(policy.users)
      }.`,
    };
  }
  const programs = [
    ...(runtime.mode === "binary" ? [runtime.exec[0]!] : []),
    ...spec.health.flatMap((check) => "exec" in check ? [check.exec[0]!] : []),
  ];
  const outside = policy.paths && programs.find((path) => path.startsWith("/") && !isBelowOne(path, policy.paths!));
  return outside === undefined ? undefined : {
    code: "policy.path",
    message: `${node} does not start ${outside} for ${app}: its policy allows the paths ${list(policy.paths!)}.`,
  };
}

const list = (names: readonly string[]) => names.length === 0 ? "none" : names.join(", ");

function isBelowOne(path: string, folders: readonly string[]): boolean {
  if (path.split("/").includes("..")) return false;
  return folders.some((folder) => path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`));
}
