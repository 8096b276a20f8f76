/**
 * A process of its own for each party, called over its standard streams: one JSON line per question and per answer.
 * What it says on standard error is a person's to read. It ends when its input does, so nothing outlives the bench.
 */
import { toLines } from "./lines.ts";

export interface Child {
  pid: number;
  call<T = unknown>(method: string, input?: unknown): Promise<T>;
  stop(): Promise<void>;
}

export interface ChildOptions {
  /** Before the script: the peers' process has no configuration but its own lock file. */
  denoArguments?: string[];
  env?: Record<string, string>;
}

export function startChild(script: URL, options: ChildOptions = {}): Child {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...(options.denoArguments ?? []), script.pathname],
    env: options.env,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = process.stdin.getWriter();
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let last = 0;
  const name = script.pathname.split("/").at(-1);
  void (async () => {
    for await (const line of process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(toLines())) {
      const { id, result, error } = JSON.parse(line) as { id: number; result: unknown; error?: string };
      const asked = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) asked?.resolve(result);
      else asked?.reject(new Error(`${name}: ${error}`));
    }
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended before it answered`));
  })();
  return {
    pid: process.pid,
    call<T>(method: string, given?: unknown) {
      const id = ++last;
      return new Promise<T>((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        const line = JSON.stringify({ id, method, input: given ?? null }) + "\n";
        input.write(new TextEncoder().encode(line)).catch(reject);
      });
    },
    async stop() {
      await input.close().catch(() => {}); // it may have ended by itself
      await process.status;
    },
  };
}

// deno-lint-ignore no-explicit-any -- both ends of a bench's pipe are ours; the caller names the type
export type Methods = Record<string, (input: any) => unknown>;

/** The other end: answers until its input ends, then ends the process. */
export async function answerCalls(methods: Methods): Promise<never> {
  const encoder = new TextEncoder();
  const output = Deno.stdout.writable.getWriter();
  const answer = async (line: string) => {
    const { id, method, input } = JSON.parse(line) as { id: number; method: string; input: unknown };
    let said: unknown;
    try {
      said = { id, result: await methods[method]!(input) ?? null };
    } catch (error: unknown) {
      said = { id, error: error instanceof Error ? error.stack ?? error.message : String(error) };
    }
    await output.write(encoder.encode(JSON.stringify(said) + "\n"));
  };
  for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(toLines())) {
    void answer(line);
  }
  await methods.close?.(null);
  Deno.exit(0);
}
