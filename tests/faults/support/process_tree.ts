/** What a task has started and what of it lives, found from outside: by the marks that Boreas gives every program. */

/** Processes whose environment names this task; zombies do not live. */
export async function processesOf(taskId: string): Promise<{ pid: number; group: number; command: string }[]> {
  const found: { pid: number; group: number; command: string }[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = (await Deno.readTextFile(`/proc/${name}/environ`)).split("\0");
      if (!environment.includes(`BOREAS_TASK_ID=${taskId}`)) continue;
      const stat = await Deno.readTextFile(`/proc/${name}/stat`);
      const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const command = (await Deno.readTextFile(`/proc/${name}/cmdline`)).replaceAll("\0", " ").trim();
      if (state !== "Z") found.push({ pid: Number(name), group: Number(group), command: command.slice(0, 120) });
    } catch (error: unknown) {
      // It ended while it was looked at, or belongs to the system: what a test has started is the test's to read.
      const isForeign = error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable;
      const isGone = error instanceof Deno.errors.NotFound || /No such process/.test(String(error));
      if (!isForeign && !isGone) throw error;
    }
  }
  return found;
}

/** Members of a process group, as `pgrep -g` sees them. */
export async function groupMembers(group: number): Promise<string[]> {
  const { stdout } = await new Deno.Command("pgrep", { args: ["-g", String(group)] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter(Boolean);
}
