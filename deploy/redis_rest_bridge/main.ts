/** Serves Redis over REST until it is told to stop: BRIDGE_PORT (8079), BRIDGE_TOKEN, REDIS_URL (redis://[:password@]host:port[/database]). */
import type { AddressInfo } from "node:net";
import { createBridge } from "./create_bridge.ts";
import { openRedis } from "./redis_connection.ts";

const token = Deno.env.get("BRIDGE_TOKEN") ?? "";
const port = Number(Deno.env.get("BRIDGE_PORT") ?? 8079);
const address = Deno.env.get("REDIS_URL") ?? "redis://127.0.0.1:6379";
if (token.length < 16) {
  console.error(
    "Set BRIDGE_TOKEN to at least 16 characters; the master is given the same as UPSTASH_REDIS_REST_TOKEN.",
  );
  Deno.exit(1);
}

const redis = openRedis(address);
const server = createBridge({ redis, token });
server.listen(port, () => {
  const { port } = server.address() as AddressInfo;
  console.log(`Redis at ${new URL(address).host} answers over REST on port ${port}`);
});

const stop = () => {
  server.close();
  server.closeAllConnections();
  redis.close();
};
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
server.on("close", () => Deno.exit(0));
