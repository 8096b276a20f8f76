/**
 * Puts another version in the place of this agent.
 *
 *   asked -> fetched, hashes and signature right -> its own `doctor` is content
 *     -> plan on the disk -> watcher of the new version runs -> link switched -> this process ends
 *   the new version: welcomed by the master -> verdict "confirmed"     } the first verdict on the disk counts,
 *   its watcher:     not welcomed in time   -> verdict "went back" ... } whoever wrote it
 *
 * What a crash leaves, by what is on the disk: no plan: nothing happened, the master asks again. A plan, and the old
 * version runs: it did not come to switching, or it was switched back; the old one says so. A plan, and the new version
 * runs: it goes on as if freshly switched, and sees to it that it is watched. Deployed programs, and
 * those of running tasks, are touched by none of this: they are in units or sessions of their own, and are adopted.
 */
import type { Clock, CrashPoint, Logger } from "../../domain/ports.ts";
import type { ToAgent } from "../../protocol/agent_messages.ts";
import type { ReleaseManifest, UpgradeReport } from "../../protocol/release.ts";
import { verifyRelease } from "./verify_release.ts";

type Asked = Extract<ToAgent, { type: "agent.upgrade" }>;

export interface UpgradePlan {
  /** Of the upgrade, as the master named it. */
  id: string;
  from: string;
  to: string;
}
export interface UpgradeVerdict {
  verdict: "confirmed" | "reverted";
  reason: string;
}
/** What must outlive this process; every write is durable when it returns. */
export interface UpgradeNotes {
  readPlan(): Promise<UpgradePlan | undefined>;
  /** Also forgets an older verdict. */
  writePlan(plan: UpgradePlan): Promise<void>;
  /** @returns the verdict that counts: this one, or the one that was there first */
  decide(verdict: UpgradeVerdict): Promise<UpgradeVerdict>;
  readVerdict(): Promise<UpgradeVerdict | undefined>;
  clear(): Promise<void>;
}
/** The place on this machine where versions lie beside each other, and `current` names one. */
export interface UpgradePlace {
  fetchManifest(signal: AbortSignal): Promise<unknown>;
  /** Under its final name when this returns, every file with the manifest's hash. */
  fetchRelease(manifest: ReleaseManifest, signal: AbortSignal): Promise<void>;
  /** @returns why this version cannot work here; undefined when it can */
  testRelease(version: string, signal: AbortSignal): Promise<string | undefined>;
  /** Of the new version, out of this process' reach; no second one when it runs already. */
  startWatcher(plan: UpgradePlan): Promise<void>;
  switchTo(version: string): Promise<void>;
  /** Takes away other versions, and what an interrupted fetch left. */
  keepOnly(versions: readonly string[]): Promise<void>;
}
export interface UpgraderOptions {
  /** What runs. */
  version: string;
  notes: UpgradeNotes;
  /** Undefined when this agent was not installed by the install line. */
  place: UpgradePlace | undefined;
  /** This process ends soon after, and its supervisor starts whatever `current` names. */
  restart(): void;
  clock: Clock;
  logger: Logger;
  crashPoint: CrashPoint;
}
/** What the agent lends while it runs. */
export interface UpgradeHost {
  releaseKey(): string | undefined;
  /** The version of the wire that is agreed on. */
  protocol(): number;
  send(report: UpgradeReport): void;
}

/** For fetching and testing; less than the master's patience with one that is silent. */
const PREPARE_MS = 9 * 60_000;
/** What the wire has room for: a longer one would end the connection. */
const MESSAGE_CHARACTERS = 2000;
const LATE = new Error("The release could not be fetched and tested within nine minutes; nothing was changed.");

export type Upgrader = ReturnType<typeof createUpgrader>;

export function createUpgrader(options: UpgraderOptions) {
  const { version, notes, place, logger, crashPoint } = options;
  let host: UpgradeHost | undefined;
  let running: { id: string; cancel: AbortController; isSwitching: boolean } | undefined;
  /** How the last one ended, until the master has heard it. */
  let untold: UpgradeReport | undefined;
  let unconfirmed: UpgradePlan | undefined;

  /** Before the first dial. @returns false when this process must end: another version has to run */
  async function begin(): Promise<boolean> {
    const plan = await notes.readPlan();
    if (!plan || !place) return true;
    const verdict = await notes.readVerdict();
    if (plan.to === version && verdict?.verdict !== "reverted") {
      if (verdict) await finish([plan.to, plan.from]);
      else {
        unconfirmed = plan;
        crashPoint("upgrade_begun");
        await place.startWatcher(plan);
      }
      return true;
    }
    if (plan.to === version) {
      logger.log("WARN", "This version was given up; the one before takes its place.", {
        ...plan,
        why: verdict!.reason,
      });
      await place.switchTo(plan.from);
      return false;
    }
    const said = await notes.decide({
      verdict: "reverted",
      reason: plan.from === version
        ? `The agent ended before it had switched to ${plan.to}; it runs ${version}.`
        : `${version} was installed by hand meanwhile.`,
    });
    untold = { id: plan.id, state: "failed", message: said.reason.slice(0, MESSAGE_CHARACTERS) };
    logger.log("WARN", "An upgrade did not succeed.", { ...plan, why: said.reason });
    return true;
  }

  /** The master has let this process in. */
  async function welcomed(): Promise<void> {
    if (untold) {
      untold = undefined;
      await finish([version]);
    }
    const plan = unconfirmed;
    if (!plan || !place) return;
    unconfirmed = undefined;
    const { verdict, reason } = await notes.decide({ verdict: "confirmed", reason: `Welcomed as ${version}.` });
    crashPoint("upgrade_confirmed");
    if (verdict === "confirmed") {
      logger.log("INFO", "This version is confirmed.", { ...plan });
      return await finish([plan.to, plan.from]);
    }
    logger.log("WARN", "Welcomed too late; the version before takes its place.", { ...plan, why: reason });
  }

  async function finish(versions: string[]): Promise<void> {
    await notes.clear();
    if (versions.length > 1) await place?.keepOnly(versions);
  }

  function asked({ id, version: to, downgrade = false, cancel = false }: Asked): void {
    if (id === undefined) return logger.log("WARN", `The master offers version ${to}; run the install line again.`);
    if (cancel) {
      if (running?.id === id && !running.isSwitching) running.cancel.abort();
      else if (running?.id !== id) say(id, "cancelled", "Left as it was asked to.");
      return;
    }
    if (running?.id === id || to === version) return; // told again on a new connection; or it has come about
    if (running) return say(id, "failed", "Another upgrade is under way on this machine.");
    const mine = running = { id, cancel: new AbortController(), isSwitching: false };
    const { signal } = mine.cancel;
    const late = options.clock.after(PREPARE_MS, () => mine.isSwitching ? undefined : mine.cancel.abort(LATE));
    // What hangs in the network is let go of; before it writes its plan it looks whether it is still wanted.
    const givenUp = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    Promise.race([take(mine, to, downgrade), givenUp]).catch((error: unknown) => {
      if (signal.aborted && signal.reason !== LATE) return say(id, "cancelled", "Left as it was asked to.");
      const why = error instanceof Error ? error.message : String(error);
      logger.log("ERROR", "An upgrade failed; nothing was changed.", { to, error: why });
      say(id, "failed", why);
    }).finally(() => {
      late.cancel();
      if (running === mine) running = undefined;
    });
  }

  async function take(mine: NonNullable<typeof running>, to: string, downgrade: boolean): Promise<void> {
    const { id, cancel: { signal } } = mine;
    if (!place) throw new Error("This agent was not installed by the install line, so it cannot replace itself.");
    say(id, "working", `Fetching ${to}.`);
    const manifest = await verifyRelease(await place.fetchManifest(signal), {
      releaseKey: host!.releaseKey(),
      version: to,
      runs: version,
      downgrade,
      protocol: host!.protocol(),
    });
    await place.fetchRelease(manifest, signal);
    crashPoint("upgrade_fetched");
    say(id, "working", `Testing ${to} on this machine.`);
    const why = await place.testRelease(to, signal);
    if (why !== undefined) throw new Error(`${to} would not work on this machine: ${why}`);
    signal.throwIfAborted();
    mine.isSwitching = true;
    const plan: UpgradePlan = { id, from: version, to };
    say(id, "working", `Switching to ${to}.`);
    await notes.writePlan(plan);
    crashPoint("upgrade_planned");
    try {
      await place.startWatcher(plan);
      crashPoint("upgrade_watched");
      await place.switchTo(to);
      crashPoint("upgrade_switched");
    } catch (error: unknown) {
      // The watcher, if it runs, finds the verdict and leaves.
      await notes.decide({ verdict: "reverted", reason: String(error) });
      await place.switchTo(version);
      await notes.clear();
      throw error;
    }
    logger.log("INFO", "Switching to another version of the agent.", { ...plan });
    options.restart();
  }

  function say(id: string, state: UpgradeReport["state"], message: string): void {
    host?.send({ id, state, message: message.slice(0, MESSAGE_CHARACTERS) });
  }

  return {
    begin,
    welcomed,
    asked,
    attach: (lent: UpgradeHost) => void (host = lent),
    /** For `agent.hello`: what the master has not heard yet. */
    report: () => untold,
  };
}
