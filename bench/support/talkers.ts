/** Tasks on a connected agent that print lines at a steady rate, each for as long as it was told. */
import { createHash } from "node:crypto";
import { storeBlob } from "../../db/blobs/store_blob.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { writeTar } from "../../scheduler/gitops/write_tar.ts";
import type { ReleasingMaster } from "../../tests/faults/support/installed_agent.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { LINE_BYTES } from "./log_lines.ts";

const SCRIPT = "ops/print.sh";
const PRINTER = new URL("../processes/print_lines.ts", import.meta.url).pathname;

export interface Talk {
  agentId: string;
  tasks: number;
  linesPerSecond: number;
  seconds: number;
}

/** @returns when all of them run; `ended` tells how each came out */
export async function startTalkers(
  db: TestDatabase,
  { api }: ReleasingMaster,
  { agentId, tasks, linesPerSecond, seconds }: Talk,
): Promise<{ ended(): Promise<string[]> }> {
  const names = Array.from({ length: tasks }, () => `talker-${crypto.randomUUID().slice(0, 8)}`);
  const config = { bundle: [SCRIPT], runtime: { script: { deploy: SCRIPT } } };
  const world = await seedWorld(db, {
    type: "pm",
    applications: Object.fromEntries(names.map((name) => [name, config])),
  });
  const bytes = linesPerSecond * seconds * LINE_BYTES;
  const run = `#!/bin/sh\nexec ${Deno.execPath()} run --no-config -A ${PRINTER} ${bytes} ${linesPerSecond}\n`;
  const tar = writeTar([{ path: SCRIPT, executable: true, content: new TextEncoder().encode(run) }]);
  const bundle = await storeBlob(db, createHash("sha256").update(tar).digest("hex"), tar);
  const versionId = await world.version(names[0]!);
  await db.sql`update version_app set bundle = ${db.sql.json(bundle as never)} where version_id = ${versionId}`;
  const { status, body } = await api.request("PATCH", `/agents/${agentId}`, { environments: [world.environmentId] });
  if (status >= 300) throw new Error(`the agent could not be bound: ${JSON.stringify(body)}`);
  const deps = { ...world.deps, hints: api.deps.hints };
  const id = await createDeployment(
    deps,
    { versionId, environmentId: world.environmentId, autoStart: true },
    world.actor,
  );
  const statuses = async () =>
    (await db.sql<{ state: string }[]>`select state from task where deployment_id = ${id} and is_leaf`)
      .map(({ state }) => state);
  const until = async (holds: (states: string[]) => boolean) => {
    for (let tries = 0; tries < 6000; tries++) {
      const states = await statuses();
      if (holds(states)) return states;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`the tasks that print came to ${await statuses()} in ten minutes`);
  };
  const isOver = (state: string) => ["success", "failed", "cancelled", "skipped"].includes(state);
  await until((states) => states.length > 0 && states.every((state) => state === "running" || isOver(state)));
  return { ended: () => until((states) => states.every(isOver)) };
}
