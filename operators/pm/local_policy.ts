/**
 * What the keeper of a machine does not allow is refused, whatever the master asks. An empty list allows nothing; what is
 * not named is not limited.
 */
import type { Operation } from "../../protocol/operation.ts";
import type { PmPolicy } from "./policy.ts";

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
  { app, action, spec, hook, gate }: Pick<Operation, "app" | "action" | "spec" | "hook" | "gate">,
  { node, user }: PolicyPlace,
): PolicyRefusal | undefined {
  // By its action: a deploy that names a script besides is judged as the deploy that it is.
  if (action === "hook" && hook) {
    return refuseScript(policy, `the ${hook.name} hook of ${app}`, hook.run, { node, user });
  }
  if (action === "gate" && gate) {
    return refuseScript(policy, `the gate's script of ${app}`, gate.run, { node, user });
  }
  if (action === "remove" || !spec || spec.runtime.mode === "mock") return undefined;
  const { runtime } = spec;
  if (!policy.modes.includes(runtime.mode)) {
    return {
      code: "mode.refused",
      message: `${node} does not run ${runtime.mode} applications: its policy allows ${list(policy.modes)}.`,
    };
  }
  // Scripts on this machine, whatever the application itself is; they run as the agent's own user.
  if (spec.route.mode === "hooks") {
    const refusal = refuseScript(policy, `the route's scripts of ${app}`, undefined, { node, user });
    if (refusal) return refusal;
  }
  if (runtime.mode === "docker") return undefined;
  const runsAs = (runtime.mode === "binary" ? runtime.user : undefined) ?? user;
  if (!isUserAllowed(policy, runsAs)) return userRefusal(policy, node, app, runsAs);
  const programs = [
    ...(runtime.mode === "binary" ? [runtime.exec[0]!] : []),
    ...spec.health.flatMap((check) => "exec" in check ? [check.exec[0]!] : []),
  ];
  const outside = policy.paths && programs.find((path) => !isInside(path, policy.paths!));
  return outside === undefined ? undefined : {
    code: "policy.path",
    message: `${node} does not start ${outside} for ${app}: its policy allows the paths ${list(policy.paths!)}.`,
  };
}

/** A script of a bundle runs as the agent's own user, whatever the application is. `path` is the bundle's. */
export function refuseScript(
  policy: PmPolicy,
  what: string,
  path: string | undefined,
  { node, user }: PolicyPlace,
): PolicyRefusal | undefined {
  if (!policy.modes.includes("script")) {
    return {
      code: "mode.refused",
      message: `${node} does not run ${what}: its policy allows ${list(policy.modes)}.`,
    };
  }
  if (!isUserAllowed(policy, user)) return userRefusal(policy, node, what, user);
  if (path === undefined || !policy.paths || isInside(`./${path}`, policy.paths)) return undefined;
  return {
    code: "policy.path",
    message: `${node} does not start ${path} for ${what}: its policy allows the paths ${list(policy.paths)}.`,
  };
}

const isUserAllowed = ({ users }: PmPolicy, user: string | undefined) =>
  !users || user !== undefined && users.includes(user);
const userRefusal = (policy: PmPolicy, node: string, what: string, user: string | undefined): PolicyRefusal => ({
  code: "policy.user",
  message: `${node} does not run ${what} as ${user ?? "the agent's own user"}: its policy allows the users ${
    list(policy.users!)
  }.`,
});

/** Of the release, or named. A bare name is the PATH's, and what a variable holds is filled in later. */
function isInside(program: string, folders: readonly string[]): boolean {
  if (program.includes("${env.")) return false;
  if (program.startsWith("/")) return isBelowOne(program, folders);
  return program.includes("/") && !program.split("/").includes("..");
}

const list = (names: readonly string[]) => names.length === 0 ? "none" : names.join(", ");

function isBelowOne(path: string, folders: readonly string[]): boolean {
  if (path.split("/").includes("..")) return false;
  return folders.some((folder) => path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`));
}
