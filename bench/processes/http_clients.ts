/** Clients that ask one after the other, each over a connection of its own that stays open. */
import { Agent, request } from "node:http";
import { answerCalls } from "../support/child.ts";

interface Load {
  port: number;
  paths: string[];
  token?: string;
  clients: number;
  seconds: number;
  /** Not counted: connections open, statements are prepared, code is compiled. */
  warmSeconds: number;
}

function ask(agent: Agent, { port, token }: Load, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: "127.0.0.1",
      port,
      path,
      agent,
      headers: token ? { authorization: `Bearer ${token}` } : {},
    }, (answer) => {
      let bytes = 0;
      answer.on("data", (part: Uint8Array) => bytes += part.length);
      answer.on(
        "end",
        () => answer.statusCode === 200 ? resolve(bytes) : reject(new Error(`${path} answered ${answer.statusCode}`)),
      );
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

async function load(input: Load) {
  const agent = new Agent({ keepAlive: true, maxSockets: input.clients });
  const latencies: number[] = [];
  let bytes = 0;
  /** Also before and after the time that counts: what the database and the master did is counted for all of them. */
  let answers = 0;
  const from = performance.now() + input.warmSeconds * 1000;
  const to = from + input.seconds * 1000;
  await Promise.all(Array.from({ length: input.clients }, async (_, n) => {
    for (let turn = n; performance.now() < to; turn++) {
      const began = performance.now();
      const size = await ask(agent, input, input.paths[turn % input.paths.length]!);
      const ended = performance.now();
      answers++;
      if (began < from || ended > to) continue;
      latencies.push(ended - began);
      bytes += size;
    }
  }));
  agent.destroy();
  return { latencies, bytes, answers };
}

await answerCalls({ load });
