/**
 * Programs in units of their own. A unit's file, script and environment are written whole before systemd is told; a crash
 * in between leaves files that the next start writes again, and a unit that is not enabled does not come back at boot.
 */
import { KEEPER } from "../keeper.ts";
import { adoptProcess } from "../process.ts";
import type { KeptProcess } from "../process.ts";
import { processFiles } from "../process_files.ts";
import { asUser, SYSTEM_PATH } from "../process_run.ts";
import { ownerOf, unitEnvironment, unitScript, unitText } from "./unit_text.ts";
import type { UnitPlan } from "./unit_text.ts";

const UNITS = "/etc/systemd/system";
const START_MS = 20_000;
const KILL_MS = 20_000;
const LOOK_MS = 50;

export interface UnitStart extends UnitPlan {
  command: string[];
  env: Readonly<Record<string, string>>;
  user?: string | undefined;
  keepBytes: number;
}
export interface UnitState {
  /** `active`, `activating`, `deactivating`, `inactive`, `failed` */
  active: string;
  /** `running`, `auto-restart`, `dead`, ... */
  sub: string;
  restarts: number;
  isEnabled: boolean;
  /** Files that change it beside its own, such as `systemctl edit` makes. */
  overrides: string;
  /** The file as it is. */
  text: string;
}

/** undefined where units cannot be made: no systemd, or nobody who may. */
export function findUnits(): Units | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  try {
    return Deno.statSync("/run/systemd/system").isDirectory ? new Units() : undefined;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

export class Units {
  /** The first of these names that is free, or this folder's already. */
  async chooseName(folder: string, names: string[]): Promise<string> {
    for (const name of names) {
      const text = await processFiles.readText(fileOf(name));
      if (text === undefined || ownerOf(text) === folder) return name;
    }
    throw new Error(`the unit ${names.at(-1)} exists and is not ours; remove ${fileOf(names.at(-1)!)}`);
  }

  /** Writes the unit and starts it; resolves when its program runs or has ended. */
  async start(start: UnitStart): Promise<KeptProcess> {
    const { folder, name, env } = start;
    const path = env.PATH ?? SYSTEM_PATH;
    const files = Math.max(2, Math.ceil(start.keepBytes / 1024 / 1024));
    const command = await asUser(start.user, start.command);
    await processFiles.writeText(`${folder}/unit.sh`, unitScript(KEEPER, { folder, files, path, command }), 0o600);
    const whole = { ...env, PATH: `${SYSTEM_PATH}:${path}` };
    await processFiles.writeText(`${folder}/unit.env`, unitEnvironment(whole), 0o600);
    await processFiles.writeText(fileOf(name), unitText(start), 0o644);
    // A run that ended must not be taken for the one that begins.
    if ((await processFiles.list(`${folder}/run`)).length > 0) {
      await processFiles.remove(`${folder}/last`);
      await processFiles.rename(`${folder}/run`, `${folder}/last`);
    }
    await systemctl("daemon-reload");
    await ask("reset-failed", name); // starts of before do not count against this one
    await systemctl("start", name);
    for (let waited = 0; waited < START_MS; waited += LOOK_MS) {
      const kept = await adoptProcess(`${folder}/run`);
      if (kept) return kept;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new Error(`the unit ${name} started no program; see: journalctl -u ${name}`);
  }

  /** It comes back at boot. */
  async enable(name: string): Promise<void> {
    await systemctl("enable", "--quiet", name);
  }

  /** It runs on, and does not come back at boot. Nothing happens when there is no such unit. */
  async disable(name: string): Promise<void> {
    await ask("disable", "--quiet", name);
  }

  /** Ends all that runs in it, and takes its files away. Nothing happens when there is none of this folder's. */
  async remove(name: string, folder: string, graceSeconds: number): Promise<void> {
    const text = await processFiles.readText(fileOf(name));
    if (text === undefined || ownerOf(text) !== folder) return;
    await systemctl("stop", "--no-block", name);
    const isOver = async () => ["inactive", "failed"].includes((await this.look(name))?.active ?? "inactive");
    if (!await within(graceSeconds * 1000, isOver)) {
      await ask("kill", "--signal=KILL", name);
      await within(KILL_MS, isOver); // who looks for what is left finds it by itself
    }
    await ask("disable", "--quiet", name);
    await processFiles.remove(fileOf(name));
    await systemctl("daemon-reload");
    await ask("reset-failed", name);
    for (const file of ["unit.sh", "unit.env"]) await processFiles.remove(`${folder}/${file}`);
  }

  async look(name: string): Promise<UnitState | undefined> {
    const text = await processFiles.readText(fileOf(name));
    if (text === undefined) return undefined;
    const said = await systemctl(
      "show",
      "--property=ActiveState,SubState,NRestarts,UnitFileState,DropInPaths,Job",
      name,
    );
    const of = Object.fromEntries(said.split("\n").map((each) => each.split("=", 2) as [string, string]));
    return {
      // At boot its start may be queued still: whoever started it by hand then would meet it.
      active: of.ActiveState === "inactive" && of.Job ? "activating" : of.ActiveState ?? "",
      sub: of.SubState ?? "",
      restarts: Number(of.NRestarts ?? 0),
      isEnabled: of.UnitFileState === "enabled",
      overrides: of.DropInPaths ?? "",
      text,
    };
  }

  /** How the file would be written. */
  expected = (plan: UnitPlan): string => unitText(plan);
}

const fileOf = (name: string) => `${UNITS}/${name}`;

async function within(milliseconds: number, isOver: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (!await isOver()) {
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return true;
}

async function ask(...args: string[]): Promise<{ ok: boolean; said: string; failed: string }> {
  const done = await new Deno.Command("systemctl", { args, stdin: "null", stdout: "piped", stderr: "piped" }).output();
  const [said, failed] = [done.stdout, done.stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  return { ok: done.success, said, failed };
}

async function systemctl(...args: string[]): Promise<string> {
  const { ok, said, failed } = await ask(...args);
  if (!ok) throw new Error(`systemctl ${args.join(" ")}: ${failed.trim() || said.trim()}`);
  return said;
}
