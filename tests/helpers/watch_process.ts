/** What a process under attack looks like from outside: its memory, and how long `/v1/health` takes to answer. */
import { sendRaw } from "./raw_http.ts";

/** Resident bytes of a process, as Linux counts them. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

export interface Watched {
  /** Most resident bytes above those at the beginning. */
  grownBytes: number;
  /** Of the answers that `/v1/health` gave, all of them 200. */
  slowestMs: number;
  p99Ms: number;
  asked: number;
}

/** Looks at the process while `attack` goes on. */
export async function watchDuring(
  target: { pid: number; port: number },
  attack: () => Promise<void>,
): Promise<Watched> {
  const before = await residentBytes(target.pid);
  let most = before;
  const took: number[] = [];
  let over = false;
  const watching = (async () => {
    while (!over) {
      const answer = await sendRaw(target.port, { head: ["GET /v1/health HTTP/1.1", "Host: 127.0.0.1"] });
      if (answer.status !== 200) throw new Error(`/v1/health answered ${answer.status}`);
      took.push(answer.afterMs);
      most = Math.max(most, await residentBytes(target.pid));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    await Promise.race([attack(), watching]);
  } finally {
    over = true;
  }
  await watching;
  took.sort((a, b) => a - b);
  return {
    grownBytes: most - before,
    slowestMs: took.at(-1)!,
    p99Ms: took[Math.min(took.length - 1, Math.floor(took.length * 0.99))]!,
    asked: took.length,
  };
}
