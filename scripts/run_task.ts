/** Starts a process exactly as `deno.json` spells it, permissions included, without a `deno task` in between. */
import { join } from "node:path";
import { pathWithDeno, root } from "./build_once.ts";

export function taskCommand(
  name: string,
  options: { env?: Record<string, string>; edit?: (task: string) => string; output?: "inherit" | "piped" } = {},
) {
  const config = JSON.parse(Deno.readTextFileSync(join(root, "deno.json"))) as { tasks: Record<string, string> };
  const task = config.tasks[name];
  if (!task) throw new Error(`deno.json has no task ${name}.`);
  return new Deno.Command("sh", {
    args: ["-c", `exec ${options.edit?.(task) ?? task}`],
    cwd: root,
    stdin: "null",
    stdout: options.output ?? "inherit",
    stderr: options.output ?? "inherit",
    // Of a session of its own: Ctrl-C in a terminal reaches the starter alone, which ends things in their order.
    detached: true,
    env: { ...options.env, PATH: pathWithDeno() },
  });
}
