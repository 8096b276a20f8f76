/** The dashboard as it is shipped, built once for all test files; returns its folder. */
import { join } from "node:path";
import { root } from "../../../scripts/build_once.ts";
import { buildWeb } from "../../../scripts/build_web.ts";

export async function buildDashboard(): Promise<string> {
  await buildWeb(() => {});
  return join(root, ".build/web");
}
