/**
 * One act of an agent on a machine of the tests, as a process of its own: `deno run -A unit_driver.ts '{"do": ...}'`
 * prints what became of it as JSON.
 */
import { createRouter } from "../../compose/machine_router.ts";
import { runProxyProcess } from "../../compose/proxy.ts";
import type { Logger } from "../../domain/ports.ts";
import { createMachine } from "../../host/machine.ts";
import { createPmOperator } from "../../operators/pm/pm_operator.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import { clock, createContext, operationOf, specOf } from "./pm_fixture.ts";

type Binary = Extract<RenderedSpec["runtime"], { mode: "binary" }>;
export interface DriverAct {
  do: "deploy" | "prepare" | "switch" | "finish" | "remove" | "observe";
  /** Of a switch. */
  hold?: boolean;
  root: string;
  generation?: number;
  version?: string;
  /** A POSIX sh program. */
  program?: string;
  environment?: string;
  runtime?: Partial<Binary>;
  spec?: Partial<RenderedSpec>;
  secrets?: Record<string, string>;
  /** A file that remembers the attempt: whoever comes with it again takes the attempt up. */
  attempt?: string;
  /** Dies, as by KILL, right after it has said for the first time what it is about to start. */
  diesAfterSave?: boolean;
}

/** What an agent's journal would remember. */
interface Memory {
  taskId: string;
  generation: number;
  spec: RenderedSpec;
  path: string;
  saved?: unknown;
}

async function freeze(program: string) {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/app`, `#!/bin/sh\n${program}\n`);
  await Deno.chmod(`${folder}/app`, 0o755);
  const path = `${folder}.tar`;
  await new Deno.Command("tar", { args: ["-cf", path, "-C", folder, "app"] }).output();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path)));
  const sha256 = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { path, artifact: { kind: "blob" as const, sha256, size: (await Deno.stat(path)).size } };
}

async function begin(act: DriverAct): Promise<Memory> {
  const { path, artifact } = await freeze(act.program ?? "exec sleep 1000");
  const runtime = { mode: "binary" as const, artifact: "bin", exec: ["./app"], ...act.runtime };
  const spec = specOf(runtime, {
    ...{ artifacts: { bin: artifact }, secrets: Object.keys(act.secrets ?? {}) },
    ...act.spec,
  });
  return { taskId: crypto.randomUUID(), generation: act.generation ?? 1, spec, path };
}

async function recall(file: string): Promise<Memory | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(file)) as Memory;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (Deno.args[0] === "proxy") Deno.exit(await runProxyProcess((name) => Deno.env.get(name)));

if (import.meta.main) {
  const act = JSON.parse(Deno.args[0]!) as DriverAct;
  const logs: unknown[] = [];
  const logger: Logger = { log: (level, message, context) => void logs.push({ level, message, context }) };
  const operator = createPmOperator({
    ...{ machine: createMachine(), clock, root: act.root, node: { name: "m1" } },
    logger,
    router: createRouter(act.root, logger),
  });
  await operator.start!();
  let outcome: unknown;
  let text = "";
  if (act.do !== "observe") {
    const before = act.attempt ? await recall(act.attempt) : undefined;
    const memory = before ?? await begin(act);
    const remember = () => {
      if (!act.attempt) return;
      Deno.writeTextFileSync(`${act.attempt}.new`, JSON.stringify(memory));
      Deno.renameSync(`${act.attempt}.new`, act.attempt);
    };
    remember();
    const { taskId, generation, spec, path, saved } = memory;
    const context = createContext({
      ...{ taskId, saved, resumed: before !== undefined, secrets: act.secrets ?? {} },
      fetchBlob: async () => path,
    });
    context.save = async (state) => {
      memory.saved = state;
      remember();
      if (act.diesAfterSave) Deno.kill(Deno.pid, "SIGKILL");
    };
    const { version = "v1", environment = "prod" } = act;
    const hold = act.hold ?? false;
    const over = { version, versionId: version, environment, generation, action: act.do, hold };
    outcome = await operator.run(operationOf(act.do === "remove" ? null : spec, over), context);
    text = context.text();
  }
  const observed = await Array.fromAsync(operator.observe());
  await operator.stop!();
  console.log(JSON.stringify({ outcome, text, observed, logs }));
  Deno.exit(0);
}
