/** A steady load on a port of this machine: a request every 5 ms, half of them on kept connections, half on new ones. */
import { Agent, request } from "node:http";

const EVERY_MS = 5;
const TIMEOUT_MS = 60_000;
/** A machine that is too slow for the rhythm is asked less often: requests that only queue would time out in the end. */
const MOST_OPEN = 100;

export interface Load {
  /** Resolves when so many more requests have been answered, good or bad. */
  reach(more: number): Promise<void>;
  /** Answers with status 200 by their body, and what went wrong with the others. */
  end(): Promise<{ answers: Map<string, number>; failed: string[] }>;
}

export function startLoad(
  port: number,
  host = `127.0.0.1:${port}`,
  methods: readonly string[] = ["GET", "POST"],
): Load {
  const kept = new Agent({ keepAlive: true });
  const answers = new Map<string, number>();
  const failed: string[] = [];
  const open = new Set<Promise<void>>();
  let done = 0;
  let waiting: { at: number; resolve: () => void }[] = [];
  let sent = 0;

  const ask = (agent: Agent | false, method: string) =>
    new Promise<void>((resolve) => {
      const over = (trouble?: string) => {
        if (trouble) failed.push(`${method} ${agent ? "on a kept connection" : "on a new connection"}: ${trouble}`);
        done++;
        waiting = waiting.filter((wait) => wait.at > done || void wait.resolve());
        resolve();
      };
      const asked = request({
        host: "127.0.0.1",
        port,
        path: "/",
        method,
        agent,
        headers: { host },
        timeout: TIMEOUT_MS,
      });
      asked.on("response", (answer) => {
        let text = "";
        answer.on("data", (part: Uint8Array) => text += new TextDecoder().decode(part));
        answer.on("error", (error) => over(`broken answer: ${error.message}`));
        answer.on("end", () => {
          if (answer.statusCode !== 200) return over(`${answer.statusCode} ${text.trim()}`);
          answers.set(text, (answers.get(text) ?? 0) + 1);
          over();
        });
      });
      asked.on("timeout", () => asked.destroy(new Error("no answer")));
      asked.on("error", (error) => over(error.message));
      asked.end(method === "POST" ? "body" : undefined);
    });

  const timer = setInterval(() => {
    if (open.size >= MOST_OPEN) return;
    sent++;
    const going = ask(sent % 2 === 0 ? kept : false, methods[(sent >> 1) % methods.length]!);
    open.add(going);
    void going.then(() => open.delete(going));
  }, EVERY_MS);

  return {
    reach: (more) => new Promise<void>((resolve) => waiting.push({ at: done + more, resolve })),
    async end() {
      clearInterval(timer);
      await Promise.all(open);
      kept.destroy();
      return { answers, failed };
    },
  };
}
