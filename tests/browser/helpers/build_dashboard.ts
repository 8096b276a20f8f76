/** The dashboard as it is shipped, built once per run; returns its folder. */
import { build } from "vite";
import { resolve } from "node:path";

let built: Promise<string> | undefined;

export const buildDashboard = (): Promise<string> => built ??= run();

async function run(): Promise<string> {
  const outDir = await Deno.makeTempDir({ prefix: "boreas-web-" });
  const root = resolve(import.meta.dirname!, "../../..");
  await build({ configFile: `${root}/web/vite.config.ts`, build: { outDir }, logLevel: "error" });
  return outDir;
}
