/** The real pm operator on this machine: real programs, real files, real clock, in a folder of the test's own. */
import { createClock } from "../../host/clock.ts";
import { createMachine } from "../../host/machine.ts";
import { findTagged, sendSignal } from "../../host/process_table.ts";
import { processFiles } from "../../host/process_files.ts";
import type { Operator, RunContext } from "../../operators/operator.ts";
import { createPmOperator } from "../../operators/pm/pm_operator.ts";
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";

export const clock = createClock();

export interface TestContext extends RunContext {
  text(): string;
  bytes(): Uint8Array;
  controller: AbortController;
  /** The same attempt, as the next agent takes it up. */
  again(): TestContext;
}

export function createContext(over: Partial<RunContext> & { blobs?: Record<string, string> } = {}): TestContext {
  const parts: Uint8Array[] = [];
  const controller = new AbortController();
  const bytes = () => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  };
  const { blobs, ...rest } = over;
  const context: TestContext = {
    taskId: crypto.randomUUID(),
    attempt: 1,
    fence: 1,
    secrets: {},
    signal: controller.signal,
    resumed: false,
    log: async (data, position) => {
      parts.push(typeof data === "string" ? new TextEncoder().encode(data) : data.slice());
      if (position !== undefined) context.logPosition = position;
    },
    logPosition: 0,
    save: async (state) => void (context.saved = structuredClone(state)),
    saved: undefined,
    trusted: async () => controller.signal.throwIfAborted(),
    fetchBlob: async (sha256) => {
      const path = blobs?.[sha256];
      if (!path) throw new Error(`no blob ${sha256}`);
      return path;
    },
    controller,
    bytes,
    text: () => new TextDecoder().decode(bytes()),
    again: () => {
      const { taskId, attempt, fence, logPosition, saved, secrets } = context;
      return createContext({ ...over, taskId, attempt, fence, logPosition, saved, secrets, resumed: true });
    },
    ...rest,
  };
  return context;
}

export async function createPmFixture() {
  const folder = await Deno.makeTempDir({ prefix: "boreas-pm-" });
  await Deno.chmod(folder, 0o755);
  const logs: { level: string; message: string; context: Record<string, unknown> | undefined }[] = [];
  const contexts: TestContext[] = [];
  const operators: ReturnType<typeof createPmOperator>[] = [];
  const createOperator = (over: Partial<Parameters<typeof createPmOperator>[0]> = {}) => {
    const operator = createPmOperator({
      machine: { ...createMachine(), units: undefined }, // no test makes units on the machine that it runs on
      clock,
      logger: { log: (level, message, context) => void logs.push({ level, message, context }) },
      root: `${folder}/apps`,
      node: { name: "m1" },
      ...over,
    });
    operators.push(operator);
    return operator;
  };
  const blobs: Record<string, string> = {};

  /** A tar of these files, as the master would freeze it. */
  async function freeze(files: Record<string, string | { text: string; mode: number }>) {
    const source = await Deno.makeTempDir({ dir: folder });
    for (const [name, file] of Object.entries(files)) {
      const { text, mode } = typeof file === "string" ? { text: file, mode: 0o644 } : file;
      await Deno.mkdir(`${source}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${source}/${name}`, text);
      await Deno.chmod(`${source}/${name}`, mode);
    }
    const path = `${source}.tar`;
    const tar = await new Deno.Command("tar", { args: ["-cf", path, "-C", source, "."] }).output();
    if (!tar.success) throw new Error(new TextDecoder().decode(tar.stderr));
    const bytes = await Deno.readFile(path);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    blobs[sha256] = path;
    return { kind: "blob" as const, sha256, size: bytes.length };
  }

  return {
    folder,
    app: (name = "order") => `${folder}/apps/prod/${name}`,
    logs,
    operator: createOperator(),
    createOperator,
    freeze,
    blobs,
    context(over: Partial<RunContext> = {}) {
      const context = createContext({ blobs, ...over });
      contexts.push(context);
      return context;
    },
    async close() {
      for (const operator of operators) await operator.stop!();
      for (const { taskId } of contexts) {
        for (const { pid } of await findTagged([`BOREAS_TASK_ID=${taskId}`])) sendSignal(pid, "KILL");
      }
      await processFiles.remove(folder);
    },
  };
}
export type PmFixture = Awaited<ReturnType<typeof createPmFixture>>;

let generation = 0;
export function operationOf(spec: RenderedSpec | null, over: Partial<Operation> = {}): Operation {
  const app = over.app ?? spec?.application ?? "order";
  return {
    kind: "pm",
    action: spec ? "deploy" : "remove",
    isRollback: false,
    deploymentId: "d1",
    applicationId: "a1",
    app,
    versionId: over.version ?? "v1",
    version: "v1",
    commit: "c0ffee",
    environmentId: "e1",
    environment: "prod",
    target: { id: "m1", name: "m1" },
    timeoutSeconds: null,
    generation: ++generation,
    spec,
    ...over,
  };
}

export const specOf = (runtime: RenderedSpec["runtime"], over: Partial<RenderedSpec> = {}): RenderedSpec => ({
  application: "order",
  runtime,
  artifacts: {},
  bundle: null,
  env: {},
  secrets: [],
  files: [],
  health: [],
  minTimeSeconds: 0,
  deadlineSeconds: 60,
  keepReleases: 3,
  route: { mode: "none" },
  watchAfterSeconds: 0,
  drift: { mode: "report", ignore: [] },
  ...over,
});

/** An HTTP server in a few lines of Deno: answers its version, reads its orders from its environment. */
export const SERVER = `
const status = Number(Deno.env.get("STATUS") ?? 200);
console.log("listening " + Deno.env.get("BOREAS_VERSION"));
Deno.serve({ port: Number(Deno.env.get("PORT")), hostname: "127.0.0.1", onListen() {} }, (request) => {
  if (new URL(request.url).pathname === "/exit") setTimeout(() => Deno.exit(3), 10);
  return new Response(JSON.stringify(Deno.env.toObject()), { status });
});
`;
export const serverCommand = [Deno.execPath(), "run", "--quiet", "--no-config", "-A", "server.ts"];

/** What an application printed last, as whoever looks at it is given it. */
export async function lastLines(operator: Operator, application: string, count: number): Promise<string[]> {
  const output = await operator.output!({ application, environmentId: "e1" }, count, AbortSignal.abort());
  const text = new TextDecoder();
  let all = "";
  for await (const { bytes } of output?.parts ?? []) all += text.decode(bytes, { stream: true });
  return all.split("\n").slice(0, -1);
}
