/**
 * What runs beside the release that serves, in the other slot:
 *
 *   prepare --> prepared --switch--> serves          the old one: held --finish, any other deploy, remove--> ended
 *                  '---- any other deploy, remove, finish ----> ended
 *
 * Nobody may come for it: then its time ends it (`LONGEST_MS`). Until the record names it, what was started is `pending`,
 * and ends like any deploy that was interrupted; from then on a crash of the agent changes nothing.
 */
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import { wait } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import { writeRecord } from "./app_record.ts";
import type { AppRecord, Beside, RunningRelease } from "./app_record.ts";
import { askHealth } from "./docker/container_health.ts";
import { compareShapes, shapeOf } from "./docker/container_shape.ts";
import { findOwn, requireEngine } from "./docker/container_slots.ts";
import { lastLinesOf } from "./docker/kept_container.ts";
import { requireRouter, routedBy } from "./docker/public_port.ts";
import { endSlot } from "./end_slot.ts";
import { PmFailure } from "./failure.ts";
import { probe } from "./health.ts";
import type { PmParts } from "./pm_parts.ts";
import { adoptSlot } from "./slots.ts";

/** Longer than a release is held or an approval waited for; whoever asks for more gets this (docs/machines.md). */
export const LONGEST_MS = 7 * 24 * 3600_000;
/** A single bad answer is no judgement. */
const JUDGE_MS = 3000;
const LOOK_MS = 200;
const LAST_LINES = 200;

/** The record names it from here on: whatever becomes of the agent, it waits for its switch. */
export async function keepBeside(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  record: AppRecord,
  release: RunningRelease,
): Promise<OutcomeInput> {
  const { generation } = operation;
  const beside: Beside = { role: "prepared", release, generation, since: pm.clock.now().toISOString() };
  const waiting = { beside, generation, pending: null };
  await writeRecord(pm.machine, folder, { ...record, ...waiting });
  Object.assign(record, waiting);
  return isBeside(pm, operation, record);
}

/** The very release runs beside already, prepared before or still held: from now on it waits for this deployment's switch. */
export async function takeBeside(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  record: AppRecord,
): Promise<OutcomeInput> {
  await pm.behind.release(folder);
  return await keepBeside(pm, folder, operation, record, record.beside!.release);
}

export function isBeside({ node }: PmParts, { app, version }: Operation, { beside, current }: AppRecord): OutcomeInput {
  const { name, ports } = beside!.release;
  const serves = current ? `${current.version} serves` : "nothing serves yet";
  return {
    status: "success",
    message: `${app} ${version} is healthy on ${node.name} and waits for its switch; ${serves}.`,
    details: { prepared: name, version: current?.version ?? null, ports },
  };
}

/** Ends what runs beside, if anything does; what it is still answering, it answers first. */
export async function clearBeside(
  pm: PmParts,
  folder: AppFolder,
  record: AppRecord,
  say: (text: string) => Promise<void>,
): Promise<void> {
  if (!record.beside) return;
  const { role, release } = record.beside;
  await pm.behind.release(folder);
  const routed = role === "held" ? routedBy(record, release.spec.route, release.ports) : undefined;
  if (routed && release.spec.route.mode === "proxy") {
    const router = requireRouter(pm);
    const { drainSeconds } = release.spec.route;
    const open = await router.drain(routed.route, routed.backend, drainSeconds);
    if (open > 0) await say(`${open} requests to ${release.version} were still open after ${drainSeconds} s.`);
    const serving = record.current && routedBy(record, record.current.spec.route, record.current.ports)?.route;
    const isShared = serving?.listen === routed.route.listen && serving.host === routed.route.host;
    if (!isShared) await router.remove(routed.route);
  }
  await endSlot(pm, folder, release.slot!, { keep: role === "held" });
  record.beside = null;
  await writeRecord(pm.machine, folder, record);
  await say(`${release.version}, which ran ${role === "held" ? "behind the one that serves" : "beside"}, has ended.`);
}

/** undefined when it runs and answers well; else what is wrong. A container that somebody changed is not what was prepared. */
export async function judgeBeside(
  pm: PmParts,
  folder: AppFolder,
  app: string,
  release: RunningRelease,
): Promise<{ why: string; lastLines: string[] } | undefined> {
  const end = pm.clock.monotonic() + JUDGE_MS;
  while (true) {
    const trouble = await lookAt(pm, folder, app, release);
    if (!trouble || trouble.lastLines || pm.clock.monotonic() >= end) {
      return trouble && { why: trouble.why, lastLines: trouble.lastLines ?? [] };
    }
    await wait(pm.clock, LOOK_MS);
  }
}

/** With `lastLines` it has ended, and no second look will be better. */
async function lookAt(pm: PmParts, folder: AppFolder, app: string, release: RunningRelease) {
  const { machine } = pm;
  const { spec, ports, name } = release;
  const slot = release.slot!;
  if (spec.runtime.mode === "docker") {
    const engine = requireEngine(pm);
    const facts = await findOwn(engine, folder, slot);
    if (!facts) return { why: "its container is gone", lastLines: [] };
    if (!facts.State.Running || facts.State.Restarting) {
      const lastLines = await lastLinesOf(engine, facts.Id, LAST_LINES);
      return { why: `its container has ended with code ${facts.State.ExitCode}`, lastLines };
    }
    const changed = release.container ? compareShapes(release.container, await shapeOf(facts)) : [];
    if (changed.length > 0) return { why: `its container was changed (${changed[0]!.path})`, lastLines: [] };
    const trouble = await askHealth(pm, app, release, facts);
    return trouble === undefined ? undefined : { why: trouble };
  }
  const kept = await adoptSlot(machine, folder, slot);
  if (!kept) return { why: "it does not run any more", lastLines: [] };
  try {
    if (kept.hasEnded()) {
      const { code } = await kept.ended;
      return { why: `it has ended with code ${code}`, lastLines: await kept.lastLines(LAST_LINES) };
    }
  } finally {
    kept.forget();
  }
  const probed = { app, ports, cwd: folder.release(name), env: machine.baseEnv };
  const checks = spec.health.filter((check) => !("exec" in check));
  const troubles = await Promise.all(checks.map((check) => probe(machine, check, probed)));
  const bad = troubles.filter((trouble) => trouble !== undefined);
  return bad.length === 0 ? undefined : { why: bad.join("; ") };
}

/** What a release in parts asks of an application, said before anything is begun. */
export function refuseSharedPort(
  { app, version }: { app: string; version: string },
  old: RunningRelease,
  ports: readonly number[],
): PmFailure {
  const port = ports.join(", ");
  return new PmFailure(
    "prepare.port",
    `${app} ${version} cannot start beside ${old.version}, which holds port ${port}: two releases cannot both have it. ` +
      `Write \`ports: { http: auto }\` and \`route: { mode: proxy, listen: ${ports[0]}, port: http }\`, ` +
      "deploy that once without blueGreen and without a preSwitch hook, and try again.",
    { details: { release: old.name, version: old.version, ports: old.ports, keptPrevious: true } },
  );
}
