/** A schema of the file as tables: every key with its type, its default and what it means. Pure. */

/** What is read of a JSON Schema. */
export interface JsonSchema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}
interface Section {
  name: string;
  rows: string[];
}
const HEAD = "| key | type | default | meaning |\n|---|---|---|---|\n";
const isShape = (schema: JsonSchema) => schema.properties !== undefined;
const branches = (schema: JsonSchema) => schema.anyOf ?? schema.oneOf ?? [];

/**
 * @param known names of tables that stand already; grows by those that this adds
 * @throws Error naming the key that says nothing of itself
 */
export function keyTables(root: JsonSchema, known: Set<string>, skip: readonly string[] = []): string {
  const sections = new Map<string, Section>();
  const whole: Section = { name: "", rows: [] };
  fill(whole, root, "");
  const more = [...sections.values()].map(({ name, rows }) => `**${name}**\n\n${HEAD}${rows.join("\n")}\n`);
  return `${HEAD}${whole.rows.join("\n")}\n${more.map((text) => `\n${text}`).join("")}`;

  function fill(section: Section, shape: JsonSchema, at: string): void {
    for (const [key, schema] of Object.entries(shape.properties ?? {})) {
      const path = at === "" ? key : `${at}.${key}`;
      if (!schema.description) throw new Error(`${section.name} ${path} says nothing of itself; give it a description`);
      const isRequired = shape.required?.includes(key) ?? false;
      section.rows.push(row(path, sayType(schema), isRequired, schema));
      if (skip.includes(path)) continue;
      const inner = innerOf(schema);
      if (isShape(inner.schema) && !inner.schema.title) fill(section, inner.schema, `${path}${inner.suffix}`);
      else note(inner.schema);
    }
  }
  /** What has a name of its own stands once, in a table of its own. */
  function note(schema: JsonSchema): void {
    for (const branch of branches(schema)) note(innerOf(branch).schema);
    if (!schema.title || !isShape(schema) || known.has(schema.title)) return;
    known.add(schema.title);
    const section: Section = { name: schema.title, rows: [] };
    sections.set(schema.title, section);
    fill(section, schema, "");
  }
}

function innerOf(schema: JsonSchema): { schema: JsonSchema; suffix: string } {
  if (schema.items) return { schema: schema.items, suffix: "[]" };
  if (typeof schema.additionalProperties === "object" && !schema.title) {
    return { schema: schema.additionalProperties, suffix: ".NAME" };
  }
  return { schema, suffix: "" };
}

function row(path: string, type: string, isRequired: boolean, schema: JsonSchema): string {
  const cells = [
    `\`${path}\``,
    type,
    isRequired ? "required" : schema.default === undefined ? "" : `\`${String(schema.default)}\``,
    schema.description!,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function sayType(schema: JsonSchema): string {
  if (schema.title) return schema.title;
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(" or ");
  if (schema.items) return `list of ${sayType(schema.items)}`;
  const choices = branches(schema);
  if (choices.length > 0) return [...new Set(choices.map(sayType))].join(", or ");
  if (isShape(schema)) return "keys below";
  if (typeof schema.additionalProperties === "object" && Object.keys(schema.additionalProperties).length > 0) {
    return `map of name to ${sayType(schema.additionalProperties)}`;
  }
  return {
    string: "text",
    integer: "number",
    number: "number",
    boolean: "true or false",
    null: "nothing",
  }[schema.type ?? ""] ??
    (schema.type === "object" ? "map" : "anything");
}
