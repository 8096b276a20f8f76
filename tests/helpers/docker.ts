import { findProgram } from "./require_component.ts";

/** Builders that every engine has: BuildKit is a plugin that may be missing. */
const ENVIRONMENT = { DOCKER_BUILDKIT: "0", COMPOSE_DOCKER_CLI_BUILD: "0" };

/** For dpkg: a system that becomes an image need not survive a power cut while it is made. */
export const UNSYNCED = { DPKG_FORCE: "security-mac,downgrade,unsafe-io" };

/** @returns what it printed @throws Error with all that it said, when it failed */
export async function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: options.cwd,
    stdin: "null",
    env: { ...ENVIRONMENT, ...options.env },
  }).output();
  const decoder = new TextDecoder();
  const [said, complained] = [decoder.decode(stdout), decoder.decode(stderr)];
  if (code === 0) return said;
  throw new Error(`${command} ${args.join(" ")} ended with code ${code}:\n${said}${complained}`);
}

export const docker = (args: string[]) => run("docker", args);

/** `docker compose`, or its predecessor, which Debian packages. Undefined when there is neither. */
export async function findCompose(): Promise<string[] | undefined> {
  const { success } = await new Deno.Command("docker", { args: ["compose", "version"] }).output();
  if (success) return ["docker", "compose"];
  const old = findProgram("docker-compose");
  return old ? [old] : undefined;
}
