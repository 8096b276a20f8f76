/** The client's commands over this terminal, these files and this network. */
import { dirname, join } from "node:path";
import { CliError, type CliHost } from "../cli/host.ts";
import { runCli } from "../cli/run_cli.ts";

/** @returns the exit code */
export async function runClient(argv: readonly string[]): Promise<number> {
  try {
    return await runCli(argv, createCliHost());
  } catch (error: unknown) {
    // The reader went away (`boreas logs ... | head`): nobody is left to tell.
    if (error instanceof Deno.errors.BrokenPipe) return 1;
    throw error;
  }
}

export function createCliHost(): CliHost {
  return {
    write: (data) => writeAll(Deno.stdout, data),
    writeError: (text) => writeAll(Deno.stderr, text),
    readFile: (path) => ifThere(path, Deno.readTextFile(path)),
    readBytes: (path) => ifThere(path, Deno.readFile(path)),
    readInput: () => new Response(Deno.stdin.readable).text(),
    writePrivateFile,
    configPath: findConfigPath(),
    // Asked for by name, so that a narrow permission suffices.
    env: new Proxy({}, { get: (_, name) => typeof name === "string" ? Deno.env.get(name) : undefined }),
    fetch: (url, init) => fetch(url, init),
    isTerminal: Deno.stdin.isTerminal() && Deno.stdout.isTerminal(),
    columns: Deno.stdout.isTerminal() ? Deno.consoleSize().columns || undefined : undefined,
    prompt: (question, secret = false) => secret ? askSecret(question) : Promise.resolve(prompt(question) ?? ""),
    onInterrupt(call) {
      Deno.addSignalListener("SIGINT", call);
      return () => Deno.removeSignalListener("SIGINT", call);
    },
    now: () => Date.now(),
    wait: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const done = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        signal?.addEventListener("abort", done);
      }),
  };
}

async function ifThere<T>(path: string, read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    const why = error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/, "") : String(error);
    throw new CliError(`${path} cannot be read: ${why}.`);
  }
}

function findConfigPath(): string {
  const chosen = Deno.env.get("BOREAS_CONFIG");
  if (chosen) return chosen;
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  return join(Deno.env.get("XDG_CONFIG_HOME") ?? join(home, ".config"), "boreas", "sign-in.json");
}

/** Under another name first: a crash leaves the old file whole, and no moment in which others may read the new one. */
async function writePrivateFile(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${Deno.pid}.new`;
  await Deno.writeTextFile(fresh, text, { mode: 0o600, createNew: true });
  await Deno.rename(fresh, path);
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}

/** Reads a line without showing it. */
async function askSecret(question: string): Promise<string> {
  writeAll(Deno.stderr, question);
  Deno.stdin.setRaw(true);
  try {
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(256);
    let typed = "";
    while (true) {
      const count = await Deno.stdin.read(chunk);
      if (count === null) return typed;
      for (const character of decoder.decode(chunk.subarray(0, count), { stream: true })) {
        if (character === "\r" || character === "\n") return typed;
        if (character === "\x03") Deno.exit(130);
        if (character === "\x7f" || character === "\b") typed = typed.slice(0, -1);
        else if (character >= " ") typed += character;
      }
    }
  } finally {
    Deno.stdin.setRaw(false);
    writeAll(Deno.stderr, "\n");
  }
}
