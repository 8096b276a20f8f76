/** Real processes for tests: a master and agents, started exactly as `deno.json` spells them, killed as a test likes. */
import { Agent, request as httpsRequest } from "node:https";
import { request as httpRequest } from "node:http";
import { afterAll } from "vitest";
import { taskCommand } from "../../scripts/run_task.ts";
import { freePorts } from "./free_ports.ts";
import { endPrograms } from "./end_programs.ts";
import { temporaryFolder } from "./temporary_folder.ts";

export const ADMIN_PASSWORD = "correct-horse-battery";

export interface Master {
  url: string;
  dataDir: string;
  /** Of the process that runs just now. */
  pid(): number;
  /** SHA-256 of its own authority, when it speaks TLS. */
  fingerprint: string | undefined;
  /** Any call under /api/v1 as admin; throws on an answer that is no success. */
  // deno-lint-ignore no-explicit-any -- a test looks at what it asked for, and a wrong look fails it
  api<T = any>(method: string, path: string, body?: unknown): Promise<T>;
  /** The header of an admin who has signed in, for `raw`. */
  bearer(): { authorization: string };
  raw(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; text: string }>;
  kill(signal: Deno.Signal): Promise<number>;
  /** Starts it again on the same data and port; `more` is set for that life only. */
  restart(more?: Record<string, string>): Promise<void>;
  /** Resolves with its code when the process that runs just now has ended. */
  ended(): Promise<number>;
  output(): string;
}

export interface RunningAgent {
  /** Resolves with its code when the process has ended. */
  kill(signal: Deno.Signal): Promise<number>;
  ended(): Promise<number>;
  /** For what does not end it: STOP and CONT. */
  signal(name: Deno.Signal): void;
  output(): string;
}

/** What still runs at the end of a test file: its agents go first and at once, then its masters. */
const running: Record<"agents" | "masters", Pick<RunningAgent, "kill">[]> = { agents: [], masters: [] };
afterAll(async () => {
  for (const those of [running.agents, running.masters]) {
    await Promise.all(those.splice(0).map((one) => one.kill("SIGTERM")));
  }
  for (const folder of stateDirs.splice(0)) await endPrograms(folder);
});

/** Folders of agents: what these run outlives them, as it should, and is not to outlive the test. */
const stateDirs: string[] = [];

/** @param wrap a command that the process is started by, such as `env -C folder`, or what becomes of the whole task */
export async function startMaster(
  env: Record<string, string> = {},
  wrap?: string | ((task: string) => string),
): Promise<Master> {
  const dataDir = env.BOREAS_DATA_DIR ?? await temporaryFolder("fault");
  const [port] = freePorts(1);
  const secure = env.BOREAS_PUBLIC_URL?.startsWith("https");
  const url = `${secure ? "https" : "http"}://127.0.0.1:${port}`;
  const settings = {
    BOREAS_PORT: String(port),
    BOREAS_DATA_DIR: dataDir,
    BOREAS_ADMIN_PASSWORD: ADMIN_PASSWORD,
    BOREAS_ALLOW_FILE_REPOSITORIES: "1",
    BOREAS_LEASE_SECONDS: "3",
    BOREAS_SWEEP_SECONDS: "1",
    BOREAS_POLL_SECONDS: "1",
    BOREAS_RESTART_GRACE_SECONDS: "6",
    BOREAS_LOG_FORMAT: "text",
    BOREAS_LOG_LEVEL: "INFO",
    ...env,
    ...(env.BOREAS_PUBLIC_URL ? { BOREAS_PUBLIC_URL: env.BOREAS_PUBLIC_URL.replace("PORT", String(port)) } : {}),
  };
  let process: Spawned;
  let token = "";
  const lax = new Agent({ rejectUnauthorized: false });

  const raw: Master["raw"] = (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const send = secure ? httpsRequest : httpRequest;
      const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
      const outgoing = send(`${url}${path}`, {
        method,
        ...(secure ? { agent: lax } : {}),
        headers: {
          ...(text === undefined
            ? {}
            : { "content-type": "application/json", "content-length": String(new TextEncoder().encode(text).length) }),
          ...headers,
        },
      }, (answer) => {
        const parts: Uint8Array[] = [];
        answer.on("data", (part: Uint8Array) => parts.push(part));
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, text: new TextDecoder().decode(joined(parts)) }));
        answer.on("error", reject);
      });
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  const launch = async (more: Record<string, string> = {}) => {
    process = spawn("master", { ...settings, ...more }, typeof wrap === "string" ? (task) => `${wrap} ${task}` : wrap);
    await process.waitFor(/Boreas is ready/);
    if (more.BOREAS_CRASH_AT) return; // it may be gone by now, and the token of the life before is good for this one
    const { text } = await raw("POST", "/api/v1/auth/login", { username: "admin", password: ADMIN_PASSWORD });
    token = JSON.parse(text).accessToken;
  };
  await launch();
  running.masters.push({ kill: (signal) => process.kill(signal) });
  return {
    url,
    dataDir,
    pid: () => process.pid,
    fingerprint: /fingerprint ([0-9a-f]{64})/.exec(process!.output())?.[1],
    raw,
    bearer: () => ({ authorization: `Bearer ${token}` }),
    async api(method, path, body) {
      const { status, text } = await raw(method, `/api/v1${path}`, body, { authorization: `Bearer ${token}` });
      if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`);
      return text ? JSON.parse(text) : undefined;
    },
    kill: (signal) => process.kill(signal),
    restart: launch,
    ended: () => process.ended,
    output: () => process.output(),
  };
}

export async function startAgent(
  env: {
    url: string;
    stateDir?: string;
    token?: string;
    fingerprint?: string;
    name?: string;
    namespace?: string;
    wrap?: string;
    slots?: number;
    /** Another program in the place of `main.ts agent`. */
    program?: string;
    more?: Record<string, string>;
  },
): Promise<RunningAgent> {
  const stateDir = env.stateDir ?? await temporaryFolder("agent");
  const process = spawn(
    "agent",
    {
      BOREAS_URL: env.url,
      BOREAS_STATE_DIR: stateDir,
      BOREAS_TOKEN: env.token ?? "",
      BOREAS_CA_FINGERPRINT: env.fingerprint ?? "",
      BOREAS_NAME: env.name ?? "",
      BOREAS_SLOTS: env.slots === undefined ? "" : String(env.slots),
      BOREAS_LOG_FORMAT: "text",
      BOREAS_LOG_LEVEL: "INFO",
      ...env.more,
    },
    (task) =>
      `${env.namespace ? `ip netns exec ${env.namespace} ` : ""}${env.wrap ? `${env.wrap} ` : ""}${
        env.program ? task.replace("main.ts agent", env.program) : task
      }`,
  );
  await process.waitFor(/agent started/);
  running.agents.push(process);
  stateDirs.push(stateDir);
  return {
    kill: process.kill,
    ended: () => process.ended,
    signal: (name) => Deno.kill(process.pid, name),
    output: process.output,
  };
}

interface Spawned {
  pid: number;
  waitFor(pattern: RegExp): Promise<void>;
  kill(signal: Deno.Signal): Promise<number>;
  ended: Promise<number>;
  output(): string;
}

function spawn(task: string, env: Record<string, string>, edit?: (task: string) => string): Spawned {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const child = taskCommand(task, { env: given, output: "piped", ...(edit ? { edit } : {}) });
  const process = child.spawn();
  let text = "";
  const waiting = new Set<() => void>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      text += part;
      for (const wake of waiting) wake();
    }
  };
  const ended = Promise.all([read(process.stdout), read(process.stderr)]).then(() => process.status);
  return {
    pid: process.pid,
    ended: ended.then((status) => status.code),
    output: () => text,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => done(new Error(`${task} did not come about within 90 s: ${task} says ${pattern}\n${text}`)),
          90_000,
        );
        const look = () => pattern.test(text) && done();
        const done = (error?: Error) => {
          clearTimeout(timer);
          waiting.delete(look);
          if (error) reject(error);
          else resolve();
        };
        waiting.add(look);
        ended.then((status) =>
          done(pattern.test(text) ? undefined : new Error(`${task} ended with ${status.code}:\n${text}`))
        );
        look();
      }),
    async kill(signal) {
      try {
        process.kill(signal);
      } catch (error: unknown) {
        if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error; // it has ended already
      }
      return (await process.status).code;
    },
  };
}

function joined(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Reads again and again until it is so, with a bound; for what a test can only see from outside a process. */
export async function eventually<T>(
  read: () => Promise<T | false | undefined>,
  what: string,
  seconds = 90,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  while (true) {
    const value = await read();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`${what} did not come about within ${seconds} s`);
    await new Promise((done) => setTimeout(done, 40));
  }
}
