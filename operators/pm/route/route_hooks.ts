/**
 * Scripts of the bundle that tell a load balancer outside to send no more requests here (`drain`), and to send them
 * again (`undrain`). Each attempt runs each of them once, under a keeper: an agent that restarts follows what it had
 * begun. What became of a drain is in the record before it starts, so that whoever takes the deploy back undrains too.
 */
import { aborted, graceOf, wait } from "../../stopped.ts";
import { insideRelease } from "../app_folder.ts";
import type { AppFolder } from "../app_folder.ts";
import { PmFailure } from "../failure.ts";
import type { PmParts } from "../pm_parts.ts";
import { stopProcess } from "../stop_process.ts";

/** A load balancer that waits for its own health checks and connections takes a while. */
const LONGEST_SECONDS = 300;
const SHOWN_LINES = 200;
const KEEP_OUTPUT_BYTES = 2 * 1024 * 1024;

export interface RouteHook {
  name: "drain" | "undrain";
  /** In the release's folder. */
  path: string;
  release: string;
  app: string;
  /** Of this attempt: `tasks/<attempt>`. */
  place: string;
  env: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  say(text: string): Promise<void>;
}

/** @throws PmFailure when it fails, is missing or takes too long */
export async function runRouteHook(pm: Pick<PmParts, "machine" | "clock">, hook: RouteHook): Promise<void> {
  const { machine, clock } = pm;
  const { name, path, app, signal } = hook;
  const file = insideRelease(hook.release, path);
  if (!await machine.files.isFile(file)) {
    throw new PmFailure(
      `route.${name}`,
      `The route of ${app} runs ${path}, which its bundle does not have; add it to \`bundle\`.`,
    );
  }
  const command = await machine.files.isExecutable(file) ? [file] : ["/bin/sh", file];
  const folder = `${hook.place}/${name}`;
  await hook.say(`Running ${path} to ${name}.`);
  const kept = await machine.adoptProcess(folder) ??
    await machine.startProcess({ folder, command, cwd: hook.release, env: hook.env, keepBytes: KEEP_OUTPUT_BYTES });
  const over = new AbortController();
  const late = wait(clock, LONGEST_SECONDS * 1000, over.signal).then(() => "late" as const);
  const stopped = signal ? aborted(signal).then(() => "stopped" as const) : new Promise<never>(() => {});
  const ending = await Promise.race([kept.ended, late, stopped]);
  over.abort();
  if (ending === "late" || ending === "stopped") {
    const graceSeconds = signal?.aborted ? graceOf(signal) : 0;
    await stopProcess(machine, clock, kept, [], { graceSeconds });
  }
  signal?.throwIfAborted();
  const { code } = await kept.ended;
  for (const line of await kept.lastLines(SHOWN_LINES)) await hook.say(`${name}: ${line}`);
  if (ending !== "late" && code === 0) return;
  const how = ending === "late"
    ? `did not end within ${LONGEST_SECONDS} s and was stopped`
    : code === null
    ? "ended, and nobody saw how"
    : `ended with code ${code}`;
  throw new PmFailure(`route.${name}`, `${path} of ${app} ${how}.`);
}

/** Where the hooks of one attempt run. */
export const placeOf = (folder: AppFolder, { taskId, fence }: { taskId: string; fence: number }): string =>
  `${folder.tasks(`${taskId}-${fence}`)}/route`;
