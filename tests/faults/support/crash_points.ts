/** Every place where a fault test can end a process, read from the source: one that is added is swept or missed loudly. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("../../../", import.meta.url).pathname;
const FOLDERS = ["agents", "api", "compose", "db", "operators", "scheduler"];

/** Names by file, in the order of the files. */
export function readCrashPoints(): { name: string; file: string }[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map(String).filter((f) => /(?<!\.test)\.tsx?$/.test(f)).sort()
      .flatMap((file) => {
        const path = `${folder}/${file}`;
        const text = readFileSync(join(root, path), "utf8");
        return [...text.matchAll(/\bcrashPoint(?:\?\.)?\((?:"([^"]+)"|([^)]*))\)/g)].flatMap(([call, name, other]) => {
          if (name) return [{ name, file: path }];
          // A declaration, or a handing on: `crashPoint: readCrashPoint(env)` is neither a call nor a name.
          if (/^name: string$|^name$/.test(other!)) return [];
          throw new Error(`${path} names a crash point in a way that no sweep can read: ${call}`);
        });
      })
  );
}

/** Points of other work than the tasks of a deployment, by the test that crashes there. */
export const ELSEWHERE: Record<string, string[]> = {
  "scheduler/delivery_loop.test.ts": ["gitops.fetched", "gitops.recorded"],
  "scheduler/gate_loop.test.ts": ["gate.measured"],
  "tests/faults/agent_upgrade.test.ts": ["begun", "confirmed", "fetched", "planned", "switched", "watched"]
    .map((point) => `upgrade_${point}`),
};

/** The names that a chain of tasks and a task that is cancelled reach. */
export function readTaskPoints(): string[] {
  const elsewhere = new Set(Object.values(ELSEWHERE).flat());
  return [...new Set(readCrashPoints().map((p) => p.name))].filter((name) => !elsewhere.has(name));
}
