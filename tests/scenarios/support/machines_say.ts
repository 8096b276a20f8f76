/** What machines of a test say themselves: the records that their agents keep of each application. */
import { join } from "node:path";
import type { AppRecord } from "../../../operators/pm/app_record.ts";

export type OnMachine = NonNullable<AppRecord["current"]>;

/** @param stateDirs machine -> its agent's folder @returns machine -> the release that should run there; the others are missing */
export async function readRunning(
  stateDirs: ReadonlyMap<string, string>,
  environment: string,
  application: string,
): Promise<Map<string, OnMachine>> {
  const found = new Map<string, OnMachine>();
  for (const [name, stateDir] of stateDirs) {
    try {
      const text = await Deno.readTextFile(join(stateDir, "apps", environment, application, "release.json"));
      const { current } = JSON.parse(text) as AppRecord;
      if (current) found.set(name, current);
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found;
}
