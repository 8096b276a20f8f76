/**
 * What an application on this machine prints, across its restarts and releases.
 *
 *   the process that runs --its output ends, somebody reads on--> the next one, when there is one --> ...
 */
import { wait } from "../stopped.ts";
import type { AppOutput } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { readRecord, readStart } from "./app_record.ts";
import type { AppRecord, RunningRelease } from "./app_record.ts";
import { findOwn, requireEngine } from "./docker/container_slots.ts";
import { keepContainer } from "./docker/kept_container.ts";
import type { KeptProcess } from "./machine.ts";
import type { PmParts } from "./pm_parts.ts";

/** Between two looks for the process that comes after one that has ended. */
const LOOK_MS = 1000;
/** More than any program prints between two looks. */
const ALL_LINES = 10_000;

interface Source {
  kept: KeptProcess;
  /** The same until it is started anew. */
  key: string;
  secrets: string[];
}

/** @returns undefined when scripts deployed it: then nothing that it prints comes by here */
export async function readAppOutput(
  pm: PmParts,
  folder: AppFolder,
  record: AppRecord,
  lines: number,
  stop: AbortSignal,
): Promise<AppOutput | undefined> {
  if (!record.current?.slot) return undefined;
  const first = await findSource(pm, folder, record.current);
  if (!first) return undefined;
  const secrets = [...first.secrets];
  return { secrets, parts: follow(pm, folder, first, lines, stop) };
}

async function* follow(pm: PmParts, folder: AppFolder, first: Source, lines: number, stop: AbortSignal) {
  let source: Source | undefined = first;
  let seen = "";
  let take = lines;
  while (source) {
    if (source.key !== seen) {
      seen = source.key;
      try {
        yield* source.kept.followLast(take, stop);
      } finally {
        source.kept.forget();
      }
      take = ALL_LINES;
    } else source.kept.forget();
    if (stop.aborted) return;
    await wait(pm.clock, LOOK_MS, stop);
    if (stop.aborted) return;
    const next = (await readRecord(pm.machine, folder))?.current;
    if (!next?.slot) return; // removed, or deployed by scripts now
    source = await findSource(pm, folder, next) ?? { ...source };
    // Its secrets may be others: whoever reads on begins anew and has them masked.
    if (source.secrets.some((secret) => !first.secrets.includes(secret))) return source.kept.forget();
  }
}

async function findSource(pm: PmParts, folder: AppFolder, current: RunningRelease): Promise<Source | undefined> {
  const slot = current.slot!;
  const pick = (env: Record<string, string>) => current.spec.secrets.flatMap((name) => env[name] ?? []);
  if (current.spec.runtime.mode === "docker") {
    const engine = requireEngine(pm);
    const facts = await findOwn(engine, folder, slot);
    if (!facts) return undefined;
    const env = Object.fromEntries(
      (facts.Config.Env ?? []).map((line) => [line.split("=", 1)[0]!, line.slice(line.indexOf("=") + 1)]),
    );
    const key = `${facts.Id} ${facts.State.StartedAt}`;
    return { kept: keepContainer(engine, pm.clock, facts), key, secrets: pick(env) };
  }
  const kept = await pm.machine.adoptProcess(folder.run(slot));
  if (!kept) return undefined;
  const start = await readStart(pm.machine, folder, slot);
  return { kept, key: `${slot} ${kept.pid}`, secrets: pick(start?.env ?? {}) };
}
