/**
 * Programs under a keeper (keeper.ts): started, adopted after a restart of the agent, followed, signalled.
 * Their end is learnt from the keeper's folder, never from being the parent, so both cases are one.
 */
import { KEEPER } from "./keeper.ts";
import { findLastLines, followOutput, readLastLines } from "./keeper_output.ts";
import type { OutputPart } from "./keeper_output.ts";
import { asUser, SYSTEM_PATH } from "./process_run.ts";
import { isPidAlive, isRunning, readBootId, sendSignal, startTimeOf } from "./process_table.ts";
import type { ProcessMark } from "./process_table.ts";
import { watchFolder } from "./process_watch.ts";
import type { FolderWatch } from "./process_watch.ts";

export interface ProcessStart {
  folder: string;
  command: string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  user?: string | undefined;
  keepBytes: number;
}

/** A keeper that has claimed its folder says within this time what it started. */
const START_MS = 5000;
const LOOK_MS = 2000;
/** Every so many looks a process is looked at closely: a zombie or a reused pid passes the quick one. */
const CLOSE_LOOKS = 15;
/** How long a living keeper may take to write down an end. */
const LAST_WORD_MS = 2000;

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

async function readTextIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

export async function startProcess(start: ProcessStart): Promise<KeptProcess> {
  await Deno.mkdir(start.folder, { recursive: true, mode: 0o755 });
  const files = Math.max(2, Math.ceil(start.keepBytes / 1024 / 1024));
  const path = start.env.PATH ?? SYSTEM_PATH;
  const keeper = new Deno.Command("/bin/sh", {
    args: [
      "-c",
      KEEPER,
      "boreas-keeper",
      start.folder,
      String(files),
      path,
      ...await asUser(start.user, start.command),
    ],
    cwd: start.cwd,
    env: { ...start.env, PATH: `${SYSTEM_PATH}:${path}` },
    clearEnv: true,
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  keeper.unref();
  let gone = false;
  keeper.status.then(() => gone = true);
  for (let waited = 0; waited < START_MS; waited += 5) {
    const kept = await findProcess(start.folder);
    if (kept) return kept;
    if (gone) break;
    await pause(5);
  }
  // Another keeper may have had the folder first.
  const other = await adoptProcess(start.folder);
  if (other) return other;
  const said = (await readTextIfThere(`${start.folder}/keeper.log`))?.trim();
  throw new Error(`the keeper of ${start.command[0]} did not start${said ? `: ${said}` : ""}`);
}

export async function adoptProcess(folder: string): Promise<KeptProcess | undefined> {
  for (let waited = 0; waited < START_MS; waited += 20) {
    const kept = await findProcess(folder);
    if (kept || await readTextIfThere(`${folder}/exit`) !== undefined) return kept;
    // Claimed, but nothing said yet: an agent died right after it started the keeper.
    if (!await isFolder(`${folder}/claim`)) return undefined;
    await pause(20);
  }
  return undefined;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function findProcess(folder: string): Promise<KeptProcess | undefined> {
  const text = await readTextIfThere(`${folder}/process`);
  if (text === undefined) return undefined;
  const [pid, bootId, keeperPid, ...start] = text.split("\n");
  const mark = { pid: Number(pid), bootId: bootId!.trim(), startTime: startTimeOf(start.join("\n")) };
  const kept = new KeptProcess(folder, mark, Number(keeperPid));
  await kept.open();
  return kept;
}

export class KeptProcess {
  readonly ended: Promise<{ code: number | null }>;
  #end!: (ended: { code: number | null }) => void;
  #hasEnded = false;
  #forgotten = false;
  #folder: FolderWatch | undefined;

  constructor(readonly folder: string, readonly mark: ProcessMark, readonly keeperPid: number) {
    this.ended = new Promise((resolve) => {
      this.#end = (ended) => {
        this.#hasEnded = true;
        resolve(ended);
      };
    });
  }

  get pid(): number {
    return this.mark.pid;
  }

  hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Learns whether it has ended already; if not, watches until it has. */
  async open(): Promise<void> {
    await this.#readExit();
    if (this.#hasEnded) return;
    if (await isRunning(this.mark)) void this.#watch();
    else await this.#settle();
  }

  /** Stops watching: the program goes on, and `ended` stays open. */
  forget(): void {
    this.#forgotten = true;
    this.#folder?.poke();
  }

  async #readExit(): Promise<void> {
    const text = await readTextIfThere(`${this.folder}/exit`);
    if (text !== undefined) this.#end({ code: Number(text) });
  }

  /** It is dead, and its keeper may be about to say how. */
  async #settle(): Promise<void> {
    if (this.mark.bootId === await readBootId()) {
      for (let waited = 0; !this.#hasEnded && waited < LAST_WORD_MS && isPidAlive(this.keeperPid); waited += 20) {
        await pause(20);
        await this.#readExit();
      }
    }
    await this.#readExit();
    if (!this.#hasEnded) this.#end({ code: null });
  }

  async #watch(): Promise<void> {
    const watch = this.#folder = watchFolder(this.folder, (path) => path.endsWith("/exit"));
    try {
      await this.#readExit();
      for (let looks = 1; !this.#hasEnded && !this.#forgotten; looks++) {
        await watch.change(LOOK_MS);
        await this.#readExit();
        const suspicious = !isPidAlive(this.pid) || !isPidAlive(this.keeperPid) || looks % CLOSE_LOOKS === 0;
        if (!this.#hasEnded && suspicious && !await isRunning(this.mark)) await this.#settle();
      }
    } finally {
      watch.close();
    }
  }

  follow(from: number, stop: AbortSignal): AsyncIterable<OutputPart> {
    return followOutput(this.folder, from, stop, this);
  }

  lastLines(count: number): Promise<string[]> {
    return readLastLines(this.folder, count, this.#hasEnded);
  }

  async *followLast(lines: number, stop: AbortSignal): AsyncGenerator<OutputPart> {
    yield* followOutput(this.folder, await findLastLines(this.folder, lines), stop, this);
  }

  async signal(signal: string): Promise<void> {
    if (this.#hasEnded || !await isRunning(this.mark)) return;
    // Right after its start it may not lead its group yet.
    if (!sendSignal(-this.pid, signal)) sendSignal(this.pid, signal);
  }
}
