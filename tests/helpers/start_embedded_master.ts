import { join } from "node:path";

export interface EmbeddedMaster {
  args: string[];
  /** Waits until that many commits were told of; the last number told. */
  committed(count: number): Promise<number>;
  kill(): void;
  /** The last number told before it ended. */
  ended: Promise<number>;
}

/** Runs `embedded_master.ts` on a folder, as a process of its own. */
export async function startMaster(
  folder: string,
  undo: (() => Promise<unknown>)[],
  as: { uid?: number; gid?: number } = {},
): Promise<EmbeddedMaster> {
  const args = ["run", "-A", join(import.meta.dirname!, "embedded_master.ts"), folder];
  const child = new Deno.Command(Deno.execPath(), { args, ...as, stdout: "piped", stderr: "inherit" }).spawn();
  undo.push(async () => {
    try {
      child.kill("SIGKILL");
    } catch (error: unknown) {
      if (!(error instanceof TypeError)) throw error; // ended already
    }
    await child.status;
  });
  let last = 0;
  const waiting = new Set<() => void>();
  const started = Promise.withResolvers<void>();
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith("ready")) started.resolve();
        if (line.startsWith("committed")) last = Number(line.split(" ")[1]);
      }
      for (const wake of waiting) wake();
    }
    started.reject(new Error("The master ended before it was ready."));
    for (const wake of waiting) wake();
  })();
  await started.promise;
  return {
    args,
    committed: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (last < count) return;
          waiting.delete(check);
          resolve(last);
        };
        waiting.add(check);
        check();
      }),
    kill: () => child.kill("SIGKILL"),
    ended: Promise.all([child.status, reading]).then(() => last),
  };
}
