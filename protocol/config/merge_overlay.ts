/** What one environment sees of an application: its document, with that environment's overlay merged in. Pure. */
import type { ApplicationConfig } from "./application.ts";

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Where each value of the merged result comes from: dotted path -> `base` or the overlay's name. */
export type Origins = Record<string, string>;
export interface Layer {
  name: string;
  config: Readonly<Json>;
}

/**
 * Later layers win. Objects merge key by key, lists and scalars replace; `runtime` and `strategy` replace as a whole,
 * because half of one kind and half of another mean nothing.
 */
export function mergeLayers(layers: readonly Layer[]): { config: ApplicationConfig; origins: Origins } {
  const origins: Origins = {};
  let merged: Json = {};
  for (const layer of layers) merged = merge(merged, layer.config, layer.name, "", origins);
  return { config: merged as ApplicationConfig, origins };
}

const WHOLE = new Set(["runtime", "strategy", "nodes"]);

function merge(base: Json, over: Readonly<Json>, name: string, path: string, origins: Origins): Json {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const here = path ? `${path}.${key}` : key;
    const before = result[key];
    if (isObject(value) && isObject(before) && !(path === "" && WHOLE.has(key))) {
      result[key] = merge(before, value, name, here, origins);
      continue;
    }
    for (const old of Object.keys(origins)) if (old === here || old.startsWith(`${here}.`)) delete origins[old];
    result[key] = value;
    mark(value, name, here, origins);
  }
  return result;
}

function mark(value: unknown, name: string, path: string, origins: Origins): void {
  if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      mark(inner, name, `${path}.${key}`, origins);
    }
  } else origins[path] = name;
}

const DOCUMENT_KEYS = new Set(["apiVersion", "kind", "name", "description", "type", "environments"]);

/** The layers of a document for one environment, in the order in which they win. */
export function documentLayers(document: Readonly<Json>, environment: string): Layer[] {
  const base = Object.fromEntries(Object.entries(document).filter(([key]) => !DOCUMENT_KEYS.has(key)));
  const overlay = (document.environments as Record<string, Json> | undefined)?.[environment];
  return [{ name: "base", config: base }, ...(overlay ? [{ name: environment, config: overlay }] : [])];
}
