/** What a binary was when it was deployed, and in what it differs now. */
import type { Difference } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { readStart } from "./app_record.ts";
import type { AppRecord, BinaryShape, SlotStart } from "./app_record.ts";
import { sha256Of } from "./fingerprint.ts";
import type { Machine } from "./machine.ts";
import type { Router } from "./router.ts";
import { compareRoute } from "./route/compare_route.ts";

export async function binaryShape(machine: Machine, start: SlotStart): Promise<BinaryShape> {
  const { command, cwd, user, env } = start;
  const files: Record<string, string> = {};
  for (const argument of command) {
    const path = argument.startsWith("/") ? argument : `${cwd}/${argument}`;
    if (!path.startsWith(`${cwd}/`) || !await machine.files.isFile(path)) continue;
    files[path.slice(cwd.length + 1)] = await machine.hashFile(path) ?? "";
  }
  const variables = await Promise.all(
    Object.entries(env).map(async ([name, value]) => [name, (await sha256Of(value)).slice(0, 16)]),
  );
  return { files, exec: await sha256Of({ command, cwd, user }), env: Object.fromEntries(variables) };
}

interface Parts {
  machine: Machine;
  router: Router | undefined;
}

export async function compareBinary(
  { machine, router }: Parts,
  folder: AppFolder,
  record: AppRecord,
): Promise<Difference[]> {
  const current = record.current!;
  const found: Difference[] = [];
  const compare = (path: string, expected: string, actual: string) => {
    if (expected !== actual) found.push({ path, expected, actual });
  };
  compare("current", `releases/${current.name}`, await machine.files.readLink(folder.current) ?? "none");
  const start = await readStart(machine, folder, current.slot!);
  if (start && current.binary) await compareStart(machine, start, current.binary, compare);
  if (start?.unit && machine.units) {
    const state = await machine.units.look(start.unit.name);
    compare("unit", "as written by Boreas", describeUnit(machine.units.expected(start.unit), state?.text));
    if (state) compare("unit.enabled", "yes", state.isEnabled ? "yes" : "no");
    if (state) compare("unit.overrides", "none", state.overrides || "none");
  }
  return [...found, ...await compareRoute({ router }, record)];
}

const describeUnit = (expected: string, actual: string | undefined) =>
  actual === undefined ? "missing" : actual === expected ? "as written by Boreas" : firstOther(expected, actual);

function firstOther(expected: string, actual: string): string {
  const lines = expected.split("\n");
  const other = actual.split("\n").find((line) => !lines.includes(line));
  return other === undefined ? "lines are missing" : `changed: ${other}`;
}

async function compareStart(
  machine: Machine,
  start: SlotStart,
  was: BinaryShape,
  compare: (path: string, expected: string, actual: string) => void,
): Promise<void> {
  const now = await binaryShape(machine, start);
  for (const [path, sha256] of Object.entries(was.files)) {
    const actual = await machine.hashFile(`${start.cwd}/${path}`);
    compare(`files/${path}`, `sha256:${sha256}`, actual === undefined ? "missing" : `sha256:${actual}`);
  }
  compare("exec", `sha256:${was.exec}`, `sha256:${now.exec}`);
  for (const name of new Set([...Object.keys(was.env), ...Object.keys(now.env)])) {
    const [before, after] = [was.env[name], now.env[name]];
    if (before === after) continue;
    compare(`env.${name}`, before ? "as deployed" : "unset", after ? (before ? "another value" : "set") : "unset");
  }
}
