/** Reads a command line against what the command says it takes. An unknown flag is refused by name, never ignored. */
import { usageError } from "./host.ts";

export interface FlagSpec {
  type: "boolean" | "string" | "list";
  /** A single letter. */
  short?: string;
  /** What stands for the value in the help. */
  value?: string;
  help: string;
}
export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

export type FlagValues<F extends FlagSpecs> = {
  [K in keyof F]: F[K]["type"] extends "boolean" ? boolean
    : F[K]["type"] extends "list" ? string[] | undefined
    : string | undefined;
};
export interface ParsedArguments<F extends FlagSpecs> {
  positionals: string[];
  flags: FlagValues<F>;
}

/** `--name value`, `--name=value`, `-n value`; a list takes commas and repetition; `--` ends the flags. */
export function parseArguments<F extends FlagSpecs>(argv: readonly string[], specs: F): ParsedArguments<F> {
  const positionals: string[] = [];
  const values: Record<string, boolean | string | string[]> = {};
  for (const [name, spec] of Object.entries(specs)) if (spec.type === "boolean") values[name] = false;

  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === "--") {
      positionals.push(...argv.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const [written, inline] = splitOnce(word, "=");
    const name = nameOf(written, specs);
    const spec = specs[name]!;
    if (spec.type === "boolean") {
      if (inline !== undefined) throw usageError(`${written} takes no value.`);
      values[name] = true;
      continue;
    }
    const value = inline ?? argv[++at];
    if (value === undefined) throw usageError(`${written} needs a value: ${written} ${spec.value ?? "VALUE"}.`);
    if (spec.type === "string") values[name] = value;
    else values[name] = [...(values[name] as string[] | undefined ?? []), ...value.split(",").filter((v) => v !== "")];
  }
  return { positionals, flags: values as FlagValues<F> };
}

function nameOf(written: string, specs: FlagSpecs): string {
  if (written.startsWith("--") && Object.hasOwn(specs, written.slice(2))) return written.slice(2);
  const byLetter = Object.entries(specs).find(([, spec]) => spec.short && `-${spec.short}` === written);
  if (byLetter) return byLetter[0];
  const near = nearest(written.replace(/^-+/, ""), Object.keys(specs));
  throw usageError(
    `Unknown flag ${written}${near ? `; did you mean --${near}?` : "; see --help for the ones there are."}`,
  );
}

export function splitOnce(text: string, at: string): [string, string | undefined] {
  const place = text.indexOf(at);
  return place < 0 ? [text, undefined] : [text.slice(0, place), text.slice(place + at.length)];
}

/** The word that was probably meant, when one is near enough. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const name of candidates) {
    const distance = name.startsWith(word) && word.length > 1 ? 1 : editDistance(word, name);
    if (!best || distance < best.distance) best = { name, distance };
  }
  return best && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.name : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
