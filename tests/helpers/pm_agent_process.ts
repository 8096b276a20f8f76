/** The pm operator in a process of its own, under the permissions that agents have: to be killed in mid-work. */
import type { Operation } from "../../protocol/operation.ts";
import type { PmFixture } from "./pm_fixture.ts";

export interface AgentProcess {
  /** Settles when the process ended, by its own hand or not. */
  ended: Promise<unknown>;
  /** What it had logged, saved and ended with, by then. */
  read(what: "log" | "saved" | "outcome"): Promise<unknown>;
}

/**
 * Runs one operation, and kills itself the very moment it logs `killAt`, or when the record names `killAtRecord` as the
 * version that runs.
 */
export async function startAgentProcess(
  pm: PmFixture,
  operation: Operation,
  options: { taskId: string; stateDir: string; killAt?: string; killAtRecord?: string },
): Promise<AgentProcess> {
  const path = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const place = await Deno.makeTempDir({ dir: pm.folder });
  await Deno.writeTextFile(
    `${place}/agent.ts`,
    `import { createContext, clock } from ${path("./pm_fixture.ts")};
     import { proxyClientOf } from ${path("./test_proxy.ts")};
     import { createDockerEngine } from ${path("../../host/docker_engine.ts")};
     import { createMachine } from ${path("../../host/machine.ts")};
     import { createPmOperator } from ${path("../../operators/pm/pm_operator.ts")};
     import { createMachineRouter } from ${path("../../operators/pm/route/machine_router.ts")};
     const { operation, blobs, root, stateDir, taskId, killAt, killAtRecord, place } = ${
      JSON.stringify({ operation, blobs: pm.blobs, root: `${pm.folder}/apps`, place, ...options })
    };
     const die = () => Deno.kill(Deno.pid, "SIGKILL");
     const tell = (what, value) => Deno.writeTextFileSync(place + "/" + what, JSON.stringify(value ?? null));
     const machine = createMachine();
     const { writeText } = machine.files;
     machine.files = { ...machine.files, writeText: async (path, text, mode) => {
       await writeText.call(machine.files, path, text, mode);
       if (killAtRecord && path.endsWith("/release.json") && JSON.parse(text).current?.version === killAtRecord) die();
     } };
     const router = createMachineRouter(proxyClientOf(stateDir));
     const engine = createDockerEngine(Deno.env.get("DOCKER_HOST"));
     const parts = { machine, clock, logger: { log() {} }, root, node: { name: "m1" }, router, engine };
     const operator = createPmOperator(parts);
     await operator.start();
     const context = createContext({ taskId, fetchBlob: async (sha256) => blobs[sha256] });
     const { log, save } = context;
     context.log = async (data, position) => {
       await log(data, position);
       tell("log", [context.text(), context.logPosition]);
       if (killAt && context.text().includes(killAt)) die();
     };
     context.save = async (state) => { await save(state); tell("saved", state); };
     tell("outcome", await operator.run(operation, context));
     Deno.exit(0);`,
  );
  const flags = ["--allow-read", "--allow-write", "--allow-run", "--allow-env", "--allow-net", "--allow-sys"];
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--config", "deno.json", ...flags, `${place}/agent.ts`],
    cwd: new URL("../..", import.meta.url).pathname,
    stdin: "null",
  }).spawn();
  return {
    ended: process.status,
    async read(what) {
      try {
        return JSON.parse(await Deno.readTextFile(`${place}/${what}`));
      } catch (error: unknown) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
  };
}
