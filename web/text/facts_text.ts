/** What a machine says of itself: in a line, the facts that everybody knows first; in rows, all of them. */
const KNOWN = ["os", "arch", "cpus", "memory", "memoryBytes", "hostname"];

export function factsText(facts: Record<string, unknown>): string {
  const parts = KNOWN.filter((name) => Boolean(facts[name])).map((name) => {
    const value = facts[name];
    if (name === "cpus") return `${value} CPU`;
    return name.startsWith("memory") ? sizeText(value) : String(value);
  });
  return parts.join(" · ");
}

export function factRows(facts: Record<string, unknown>): [string, string][] {
  const later = Object.keys(facts).filter((name) => !KNOWN.includes(name)).sort();
  return [...KNOWN, ...later].filter((name) => facts[name] !== undefined && facts[name] !== "").map((name) => [
    name.replace(/Bytes$/, ""),
    name.endsWith("Bytes") ? sizeText(facts[name]) : valueText(facts[name]),
  ]);
}

const sizeText = (value: unknown) => typeof value === "number" ? `${(value / 2 ** 30).toFixed(0)} GiB` : String(value);

/** A value of any form, on one line. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "–" : value.map(valueText).join(", ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).map(([name, each]) => `${name} ${valueText(each)}`).join(" · ") || "–";
  }
  return String(value);
}
