/**
 * `deno task docs`: docs/boreas-yaml.md, from what the schema says of itself and the guidance in docs/boreas-yaml/guide.md.
 * A test fails when the page is not what this makes.
 */
import { join } from "node:path";
import { z } from "zod";
import { ApplicationDocument, PlanDocument } from "../protocol/config_file.ts";
import { type JsonSchema, keyTables } from "./key_tables.ts";

const folder = join(import.meta.dirname!, "../docs");
export const PAGE = join(folder, "boreas-yaml.md");
const GUIDE = join(folder, "boreas-yaml/guide.md");

const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;

export async function makeBoreasYamlPage(): Promise<string> {
  const known = new Set<string>();
  const parts: Record<string, () => string> = {
    // An overlay holds what the document itself holds.
    "keys of Application": () => keyTables(schemaOf(ApplicationDocument), known, ["environments"]),
    "keys of Plan": () => keyTables(schemaOf(PlanDocument), known),
  };
  const guide = await Deno.readTextFile(GUIDE);
  const page = guide.replaceAll(/^\{\{(.+)\}\}$/gm, (_, name: string) => {
    const part = parts[name];
    if (!part) throw new Error(`${GUIDE} asks for "${name}"; there is ${Object.keys(parts).join(", ")}`);
    return part().trimEnd();
  });
  return `<!-- Made by \`deno task docs\` from the schema and docs/boreas-yaml/guide.md; edit those. -->\n\n${page}`;
}

if (import.meta.main) await Deno.writeTextFile(PAGE, await makeBoreasYamlPage());
