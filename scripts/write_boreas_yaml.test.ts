import { describe, expect, it } from "vitest";
import { keyTables } from "./key_tables.ts";
import { makeBoreasYamlPage, PAGE } from "./write_boreas_yaml.ts";

describe("docs/boreas-yaml.md", () => {
  it("is what the schema and the guide make; `deno task docs` writes it", async () => {
    expect(await Deno.readTextFile(PAGE)).toBe(await makeBoreasYamlPage());
  });
  it("has a line for every key, also of what is nested and of each kind of step", async () => {
    const page = await makeBoreasYamlPage();
    for (const key of ["name", "config.files[].mode", "runtime.docker.stop.grace", "prometheus", "freeze", "target"]) {
      expect(page).toContain(`\n| \`${key}\` |`);
    }
  });
});

describe("a table of keys", () => {
  const known = () => new Set<string>();
  it("refuses a key that says nothing of itself", () => {
    const schema = { type: "object", properties: { a: { type: "object", properties: { b: { type: "string" } } } } };
    expect(() => keyTables({ ...schema, properties: { a: { ...schema.properties.a, description: "A." } } }, known()))
      .toThrow("a.b says nothing of itself");
  });
  it("shows what has a name of its own once, and keeps a bar within its cell", () => {
    const hook = { type: "object", title: "hook", properties: { run: { type: "string", description: "a | b" } } };
    const one = { ...hook, description: "One." };
    const tables = keyTables({ properties: { one, two: { ...one, description: "Two." } }, required: ["two"] }, known());
    expect(tables.match(/\*\*hook\*\*/g)).toHaveLength(1);
    expect(tables).toContain("| `two` | hook | required | Two. |");
    expect(tables).toContain("a \\| b");
  });
});
