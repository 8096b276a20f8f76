/** The real proxy of public ports, as a process of its own, in a folder of the test's own. */
import { request } from "node:http";
import { join } from "node:path";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import { proxyCommand, proxyFolder } from "../../compose/proxy.ts";
import { createProxyClient } from "../../host/proxy/client.ts";
import type { ProxyClient } from "../../host/proxy/client.ts";
import { adoptProcess } from "../../host/process.ts";
import { processFiles } from "../../host/process_files.ts";

const main = new URL("../../main.ts", import.meta.url).href;

/** A client of the proxy in this state folder, as an agent of this checkout has it. */
export function proxyClientOf(
  stateDir: string,
  { version = PRODUCT_VERSION, logs = [] as string[] } = {},
): ProxyClient {
  const { command, env } = proxyCommand(stateDir, version, main);
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  return createProxyClient({
    ...{ folder: proxyFolder(stateDir), version, command },
    env: { ...env, HOME: join(stateDir, "home"), DENO_DIR: cache },
    log: (level, message, context) => void logs.push(`${level} ${message} ${JSON.stringify(context ?? {})}`),
  });
}

export async function createTestProxy() {
  const stateDir = await Deno.makeTempDir({ prefix: "boreas-proxy-" });
  const folder = proxyFolder(stateDir);
  const clients: ProxyClient[] = [];
  const logs: string[] = [];
  const createClient = (options: { version?: string } = {}) => {
    const client = proxyClientOf(stateDir, { ...options, logs });
    clients.push(client);
    return client;
  };
  return {
    stateDir,
    folder,
    logs,
    client: createClient(),
    createClient,
    /** A request for a host of its own. */
    getWithHost: (port: number, host: string) =>
      new Promise<[number, string]>((resolve, reject) => {
        const asked = request({ host: "127.0.0.1", port, headers: { host }, agent: false }, (answer) => {
          let text = "";
          answer.on("data", (part: Uint8Array) => text += new TextDecoder().decode(part));
          answer.on("end", () => resolve([answer.statusCode!, text]));
          answer.on("error", reject);
        });
        asked.on("error", reject);
        asked.end();
      }),
    async close() {
      for (const client of clients) client.close();
      for (const slot of ["a", "b"]) await (await adoptProcess(`${folder}/${slot}/run`))?.signal("KILL");
      await processFiles.remove(stateDir);
    },
  };
}
export type TestProxy = Awaited<ReturnType<typeof createTestProxy>>;
