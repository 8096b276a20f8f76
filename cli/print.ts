/** How answers look at a terminal: aligned columns, short ids, ages; JSON when asked. */
import type { CommandContext } from "./command.ts";
import { toPlainJson } from "./plain_text.ts";
import { sayTable } from "./table.ts";

/** `--json` prints the value as the API gave it, else the table, else the sentence for nothing. */
export function printList<T>(
  { host, json }: Pick<CommandContext, "host" | "json">,
  items: readonly T[],
  heads: readonly string[],
  row: (item: T) => readonly string[],
  none: string,
): void {
  if (json) printJson(host, items);
  else if (items.length === 0) host.write(`${none}\n`);
  else host.write(sayTable(host, heads, items.map(row)));
}

export const printJson = (host: CommandContext["host"], value: unknown): void =>
  host.write(`${toPlainJson(JSON.stringify(value, null, 2))}\n`);

/** `--json` prints the value, else the sentence. */
export function printResult(
  { host, json }: Pick<CommandContext, "host" | "json">,
  value: unknown,
  sentence: string,
): void {
  if (json) printJson(host, value);
  else host.write(`${sentence}\n`);
}

/** What a deployment, or a request for approval, is about. */
export const sayWhat = (
  { removes, applications, version, environment }: {
    removes: boolean;
    applications: readonly string[];
    version: string;
    environment: string;
  },
): string => removes ? `Removal of ${applications.join(", ")} from ${environment}` : `${version} to ${environment}`;

export function sayDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}
export const sayAge = (instant: string | null, now: number): string =>
  instant === null ? "never" : `${sayDuration(now - Date.parse(instant))} ago`;

/** Enough of a UUIDv7 to tell today's rows apart: its time part and what follows. */
export const shortId = (id: string): string => id.slice(0, 18);

const COLOURS: Record<string, number> = {
  completed: 32,
  success: 32,
  connected: 32,
  healthy: 32,
  processed: 32,
  failed: 31,
  rollback_failed: 31,
  revoked: 31,
  degraded: 31,
  missing: 31,
  rolled_back: 33,
  rolling_back: 33,
  paused: 33,
  cancelled: 33,
  cancelling: 33,
  awaiting_approval: 33,
  skipped: 33,
  running: 36,
  leased: 36,
  progressing: 36,
};
export const coloured = ({ isTerminal, env }: Pick<CommandContext["host"], "isTerminal" | "env">): boolean =>
  isTerminal && !env.NO_COLOR;
/** A status in its colour, at a terminal that wants colours. */
export function paint(host: CommandContext["host"], status: string, text = status): string {
  const colour = coloured(host) ? COLOURS[status] : undefined;
  return colour ? `\x1b[${colour}m${text}\x1b[0m` : text;
}
