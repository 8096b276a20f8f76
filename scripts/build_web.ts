/** The dashboard into `.build/web`. */
import { buildOnce, pinned, runTool } from "./build_once.ts";

export const buildWeb = (say: (sentence: string) => void) =>
  buildOnce({
    name: "web",
    sources: ["web", "protocol", "domain", "deno.lock"],
    output: ".build/web/index.html",
    run: () => runTool(["run", "-A", pinned("vite"), "build", "--config", "web/vite.config.ts", "--logLevel", "warn"]),
  }, say);

if (import.meta.main) {
  if (!await buildWeb(console.log)) console.log("The dashboard is built already");
}
