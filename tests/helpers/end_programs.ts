/** Ends the programs, and their keepers, that work in a folder; again until a look finds none: a keeper starts what ends. */
export async function endPrograms(folder: string): Promise<void> {
  while (true) {
    const found = await findIn(folder);
    if (found.length === 0) return;
    for (const pid of found) end(pid);
  }
}

async function findIn(folder: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const cwd = await Deno.readLink(`/proc/${name}/cwd`).catch(() => ""); // it has ended meanwhile, or has no more than its name
    if (cwd.startsWith(`${folder}/`)) found.push(Number(name));
  }
  return found;
}

function end(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // it came first
  }
}
