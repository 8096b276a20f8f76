/** A real Prometheus of a test's own, which scrapes a small application of ours. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./free_ports.ts";
import { eventually } from "./start_product.ts";

export interface MeteredApp {
  port: number;
  /** What it says of itself from the next scrape on: `errors 0.02`. */
  say(metrics: string): void;
  stop(): Promise<void>;
}

export function startMeteredApp(): MeteredApp {
  let text = "";
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => {
      // With its instant: what has one stays known when a busy machine answers a scrape too late.
      const lines = text.split("\n").map((line) => `${line} ${Date.now()}\n`);
      return new Response(lines.join(""), { headers: { "content-type": "text/plain; version=0.0.4" } });
    },
  );
  return { port: server.addr.port, say: (metrics) => void (text = metrics), stop: () => server.shutdown() };
}

export interface TestPrometheus {
  url: string;
  /** Waits until an instant query has this value. */
  shows(query: string, value: string): Promise<void>;
  /** Ends the server, as a crash would; `stop` is still needed. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Scrapes every 200 ms, so that what an application says is known soon. */
export async function startPrometheus(appPort: number): Promise<TestPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), "boreas-prometheus-"));
  const config = {
    global: { scrape_interval: "200ms", scrape_timeout: "200ms" },
    scrape_configs: [{ job_name: "app", static_configs: [{ targets: [`127.0.0.1:${appPort}`] }] }],
  };
  await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config)); // YAML too
  const [port] = freePorts(1);
  const child = new Deno.Command("prometheus", {
    args: [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=error",
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}`;
  let ended = false;
  const kill = async () => {
    if (ended) return;
    ended = true;
    child.kill("SIGKILL");
    await child.status;
  };
  const ask = async (query: string): Promise<string | undefined | false> => {
    try {
      const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
      const body = await answer.json();
      return body.status === "success" ? body.data.result[0]?.value[1] : false;
    } catch {
      return false; // not up yet
    }
  };
  return {
    url,
    shows: async (query, value) => {
      await eventually(async () => await ask(query) === value, `${value} for ${query} in Prometheus`);
    },
    kill,
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
