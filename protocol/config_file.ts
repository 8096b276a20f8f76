/**
 * `boreas.yaml`: strict, so that a misspelt key is an error with its line instead of a setting that silently does nothing.
 * Keys that begin with `x-` are the file's own and are dropped before the schema sees them.
 */
import { LineCounter, parseAllDocuments } from "yaml";
import type { Document, Node } from "yaml";
import { z } from "zod";
import { storableText } from "../domain/storable_text.ts";
import { ApplicationDocument } from "./config/application.ts";
import { PlanDocument } from "./config/plan.ts";

export * from "./config/application.ts";
export * from "./config/plan.ts";
export { OnFailure, Strategy } from "./config/release.ts";

export const ConfigDocument = z.discriminatedUnion("kind", [ApplicationDocument, PlanDocument]);
export type ConfigDocument = z.infer<typeof ConfigDocument>;

/** A problem at a place: `services/boreas.yaml:12: ...`. */
export interface ConfigProblem {
  file: string;
  /** 1-based. */
  line: number;
  /** Dotted path of the key, empty for the document itself. */
  path: string;
  message: string;
}
export interface ParsedDocuments<T> {
  documents: T[];
  /** Of each document, in the same order: the line on which a path of it stands. */
  lineOf: ((path: readonly PropertyKey[]) => number)[];
  problems: ConfigProblem[];
}
export type ParsedConfig = ParsedDocuments<ConfigDocument>;
export const sayProblem = (p: ConfigProblem): string =>
  `${p.file}:${p.line}: ${p.path ? `${p.path}: ` : ""}${p.message}`;

/** Bounds that keep a hostile file from costing more than it is worth. */
const MAX_BYTES = 1024 * 1024;
const MAX_DOCUMENTS = 500;
const UNSTORABLE = "holds a text with a NUL or with half a character, which cannot be kept; remove that";

export const parseConfigFile = (file: string, text: string): ParsedConfig => parseDocuments(ConfigDocument, file, text);

/** Parses every document of one file. Problems are collected, not thrown: a person mends them all at once. */
export function parseDocuments<S extends z.ZodType>(
  schema: S,
  file: string,
  text: string,
): ParsedDocuments<z.infer<S>> {
  if (text.length > MAX_BYTES) {
    return {
      documents: [],
      lineOf: [],
      problems: [{ file, line: 1, path: "", message: "is larger than 1 MiB; split it into several files" }],
    };
  }
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const documents: z.infer<S>[] = [];
  const lineOf: ParsedConfig["lineOf"] = [];
  const problems: ConfigProblem[] = [];
  const lineAt = (offset: number) => Math.max(1, lines.linePos(offset).line);
  const list = Array.isArray(parsed) ? parsed : [];
  if (list.length > MAX_DOCUMENTS) {
    return {
      documents,
      lineOf,
      problems: [{ file, line: 1, path: "", message: `has more than ${MAX_DOCUMENTS} documents` }],
    };
  }
  for (const document of list) {
    for (const error of document.errors) {
      problems.push({ file, line: lineAt(error.pos[0]), path: "", message: sayParseError(error) });
    }
    if (document.errors.length > 0) continue;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error: unknown) {
      problems.push({ file, line: 1, path: "", message: sayParseError(error) });
      continue;
    }
    if (value === null) continue;
    if (!isStorable(value)) {
      problems.push({ file, line: lineAt(offsetOf(document, [])), path: "", message: UNSTORABLE });
      continue;
    }
    const checked = schema.safeParse(dropOwnKeys(value), { error: sayIssue });
    if (checked.success) {
      documents.push(checked.data);
      lineOf.push((path) => lineAt(offsetOf(document, path)));
    } else {
      for (const issue of flattenIssues(checked.error.issues)) {
        const offset = offsetOf(document, issue.path);
        problems.push({ file, line: lineAt(offset), path: issue.path.join("."), message: issue.message });
      }
    }
  }
  return { documents, lineOf, problems };
}

/** The parser goes down into what is nested, as deep as the stack allows; its own words for the end of that help nobody. */
function sayParseError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const isTooDeep = /call stack/i.test(text);
  return isTooDeep ? "is nested too deeply; no document of ours needs more than some ten levels" : storableText(text);
}

/** Also its keys: what is wrong with them is written down. */
function isStorable(value: unknown): boolean {
  if (typeof value === "string") return storableText(value) === value;
  if (value === null || typeof value !== "object") return true;
  return Object.entries(value).every(([key, part]) => isStorable(key) && isStorable(part));
}

/** Drops `x-...` keys at every level. */
function dropOwnKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropOwnKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => !key.startsWith("x-")).map(([key, v]) => [key, dropOwnKeys(v)]),
  );
}

interface FlatIssue {
  path: PropertyKey[];
  message: string;
}

/** One problem per place: an unknown key points at the key itself, and a union speaks for its nearest branch. */
function flattenIssues(issues: z.core.$ZodIssue[], at: PropertyKey[] = []): FlatIssue[] {
  return issues.flatMap((issue): FlatIssue[] => {
    const path = [...at, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: "is not a known key; remove it or check its spelling",
      }));
    }
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      const branches = issue.errors.map((errors) => flattenIssues(errors, path)).filter((b) => b.length > 0);
      // The branch that got furthest is the one that was meant: fewest problems, then deepest first problem.
      branches.sort((a, b) => a.length - b.length || b[0]!.path.length - a[0]!.path.length);
      if (branches[0]) return branches[0];
    }
    if (issue.code === "invalid_key" && issue.issues[0]) {
      return [{ path, message: `the key must be ${issue.issues[0].message}` }];
    }
    return [{ path, message: issue.message }];
  });
}

const sayIssue: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === "invalid_type" && issue.input === undefined) return `is missing; expected ${issue.expected}`;
  if (issue.code === "invalid_type") return `expected ${issue.expected}`;
  if (issue.code === "invalid_value") return `expected one of ${issue.values.map((v) => String(v)).join(", ")}`;
  if (issue.code === "invalid_union" && issue.discriminator) return `is missing or unknown; see docs/boreas-yaml.md`;
  return undefined;
};

/** Where in the text a path begins: the key of the deepest part that exists. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const part of path) {
    if (node && "items" in node && Array.isArray(node.items)) {
      const items = node.items as unknown[];
      if (typeof part === "number") {
        node = (items[part] ?? null) as Node | null;
      } else {
        const pair = items.find((i) => (i as { key?: { value?: unknown } }).key?.value === part) as
          | { key: Node; value: Node | null }
          | undefined;
        if (pair?.key.range) offset = pair.key.range[0];
        node = pair?.value ?? null;
        continue;
      }
      if (node?.range) offset = node.range[0];
    } else break;
  }
  return offset;
}

/** The JSON Schema published at `/schema/boreas.json`. */
export const configJsonSchema = (): unknown => z.toJSONSchema(ConfigDocument, { io: "input", unrepresentable: "any" });
