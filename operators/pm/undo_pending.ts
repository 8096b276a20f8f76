/**
 * Takes back what a deploy began that did not reach its record: the old release serves, the new one ends. Every step may
 * have been done before a crash, and may be done again.
 */
import { wait } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import { readStart, writeRecord } from "./app_record.ts";
import type { AppRecord, Pending } from "./app_record.ts";
import { requireRouter } from "./docker/public_port.ts";
import { endSlot, keepRunning } from "./end_slot.ts";
import { PmFailure } from "./failure.ts";
import { probe } from "./health.ts";
import type { PmParts } from "./pm_parts.ts";
import { placeOf, runRouteHook } from "./route/route_hooks.ts";
import { otherSlot } from "./slots.ts";

/** How long answers of the new release may take to end when it is taken back. */
const SEND_BACK_SECONDS = 30;
const SERVE_AGAIN_MS = 60_000;
const LOOK_MS = 200;

export async function undoPending(
  pm: PmParts,
  folder: AppFolder,
  record: AppRecord,
  graceSeconds?: number,
  say: (text: string) => Promise<void> = async (text) => pm.logger.log("WARN", text, { app: record.app }),
): Promise<void> {
  const { pending, current } = record;
  if (!pending) return;
  const { from, to } = pending;
  await sendBack(pm, pending, graceSeconds);
  if (to && !(from && isSame(from.route, to.route))) await requireRouter(pm).remove(to.route);
  if (!pending.isSwitch) await endSlot(pm, folder, pending.slot, { graceSeconds });
  if (pending.stoppedOld && current) {
    await keepRunning(pm, folder, current);
    if (from) await requireRouter(pm).switchTo(from.route, from.backend);
  }
  if (pending.drained) await undrain(pm, folder, record, say);
  record.pending = null;
  await writeRecord(pm.machine, folder, record);
}

/** Requests go to the old release again before the new one ends: it may have had them already. */
export async function sendBack(pm: PmParts, { from, to, stoppedOld }: Pending, graceSeconds?: number): Promise<void> {
  if (!from || stoppedOld) return;
  const router = requireRouter(pm);
  await router.switchTo(from.route, from.backend);
  if (to) await router.drain(to.route, to.backend, Math.min(graceSeconds ?? SEND_BACK_SECONDS, SEND_BACK_SECONDS));
}

const isSame = (a: { listen: number; host: string | null }, b: { listen: number; host: string | null }) =>
  a.listen === b.listen && a.host === b.host;

/** The old release gets its requests again, once it can answer them. */
async function undrain(
  pm: PmParts,
  folder: AppFolder,
  { app, environment, current, pending }: AppRecord,
  say: (text: string) => Promise<void>,
): Promise<void> {
  const { release, undrain: path } = pending!.drained!;
  const start = await readStart(pm.machine, folder, pending!.slot) ??
    await readStart(pm.machine, folder, otherSlot(pending!.slot));
  if (current?.slot) {
    const { spec: { health }, ports } = current;
    const probed = { app, ports, cwd: folder.release(current.name), env: pm.machine.baseEnv };
    const checks = health.filter((check) => !("exec" in check));
    const isServing = async () =>
      (await Promise.all(checks.map((check) => probe(pm.machine, check, probed)))).every((bad) => bad === undefined);
    const end = pm.clock.monotonic() + SERVE_AGAIN_MS;
    while (!await isServing() && pm.clock.monotonic() < end) await wait(pm.clock, LOOK_MS);
  }
  try {
    await runRouteHook(pm, {
      ...{ name: "undrain", path, app, say },
      release: folder.release(release),
      place: placeOf(folder, pending!),
      env: start?.env ?? { ...pm.machine.baseEnv, BOREAS_APP: app, BOREAS_ENVIRONMENT: environment },
    });
  } catch (error: unknown) {
    if (!(error instanceof PmFailure)) throw error;
    await say(`${error.message} Requests may not come back to this machine by themselves: look at the load balancer.`);
  }
}
