import { Buffer } from "node:buffer";
import type { CliHost } from "../../cli/host.ts";
import { runCli } from "../../cli/run_cli.ts";

export interface TestHost extends CliHost {
  out: () => string;
  bytes: () => Uint8Array;
  err: () => string;
  files: Map<string, string>;
  /** The person presses Ctrl-C. */
  interrupt: () => void;
}

export function createTestHost(
  options: {
    env?: Record<string, string>;
    files?: Record<string, string>;
    input?: string;
    answers?: string[];
    /** Real time goes by where a command waits for others. */
    waits?: boolean;
  } = {},
): TestHost {
  const parts: Uint8Array[] = [];
  let err = "";
  const files = new Map(Object.entries(options.files ?? {}));
  const answers = [...options.answers ?? []];
  const interrupts = new Set<() => void>();
  const bytes = () => new Uint8Array(Buffer.concat(parts));
  return {
    write: (data) => void parts.push(typeof data === "string" ? new TextEncoder().encode(data) : data),
    writeError: (text) => void (err += text),
    readFile: (path) => Promise.resolve(files.get(path)),
    readBytes: (path) => Promise.resolve(files.has(path) ? new TextEncoder().encode(files.get(path)) : undefined),
    readInput: () => Promise.resolve(options.input ?? ""),
    writePrivateFile: (path, text) => Promise.resolve(void files.set(path, text)),
    configPath: "/home/me/sign-in.json",
    env: options.env ?? {},
    fetch: (url, init) => fetch(url, init),
    isTerminal: options.answers !== undefined,
    prompt: () => Promise.resolve(answers.shift() ?? ""),
    onInterrupt(call) {
      interrupts.add(call);
      return () => interrupts.delete(call);
    },
    now: () => Date.parse("2026-01-02T03:05:05.000Z"),
    wait: (milliseconds) => options.waits ? new Promise((over) => setTimeout(over, milliseconds)) : Promise.resolve(),
    out: () => new TextDecoder().decode(bytes()),
    bytes,
    err: () => err,
    files,
    interrupt: () => interrupts.forEach((call) => call()),
  };
}

/** Runs a command line against a server, signed in by BOREAS_TOKEN. */
export async function runAgainst(url: string, argv: string[], options: Parameters<typeof createTestHost>[0] = {}) {
  const host = createTestHost({ ...options, env: { BOREAS_URL: url, BOREAS_TOKEN: "bor_test", ...options.env } });
  const code = await runCli(argv, host);
  return { code, out: host.out(), err: host.err(), host };
}
