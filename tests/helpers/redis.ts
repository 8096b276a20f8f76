import { mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBridge } from "../../deploy/redis_rest_bridge/create_bridge.ts";
import { openRedis } from "../../deploy/redis_rest_bridge/redis_connection.ts";
import { freePorts } from "./free_ports.ts";

export interface TestRedis {
  /** redis://127.0.0.1:port */
  address: string;
  /** Ends the server as crudely as a crash; `stop` is still needed. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestRedisRest extends TestRedis {
  /** For `new Redis({url, token})` of @upstash/redis, or UPSTASH_REDIS_REST_URL and _TOKEN. */
  url: string;
  token: string;
}

/** A real redis-server of this test's own, in memory only. */
export async function startRedis(options: { port?: number; password?: string } = {}): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), "boreas-redis-"));
  const port = options.port ?? freePorts(1)[0]!;
  const secret = options.password ? ["--requirepass", options.password] : [];
  const child = new Deno.Command("redis-server", {
    args: ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder, ...secret],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("Ready to accept connections")) {
    const { value, done } = await output.read();
    if (done) throw new Error(`redis-server did not start:\n${said}`);
    said += value;
  }
  const drained = (async () => {
    while (!(await output.read()).done);
  })();
  let ended = false;
  const end = async (signal: Deno.Signal) => {
    if (ended) return;
    ended = true;
    child.kill(signal);
    await Promise.all([child.status, drained]);
  };
  const password = options.password ? `:${options.password}@` : "";
  return {
    address: `redis://${password}127.0.0.1:${port}`,
    kill: () => end("SIGKILL"),
    async stop() {
      await end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A real redis-server behind the REST bridge that deployments use. */
export async function startRedisRest(): Promise<TestRedisRest> {
  const server = await startRedis();
  const redis = openRedis(server.address);
  const token = crypto.randomUUID();
  const bridge = createBridge({ redis, token });
  const url = await listen(bridge);
  return {
    ...server,
    url,
    token,
    async stop() {
      bridge.closeAllConnections();
      await new Promise((done) => bridge.close(done));
      redis.close();
      await server.stop();
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
