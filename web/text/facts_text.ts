/** What a machine says of itself, in a line: the facts that everybody knows first. */
const KNOWN = ["os", "arch", "cpus", "memory", "memoryBytes", "hostname"];

export function factsText(facts: Record<string, unknown>): string {
  const parts = KNOWN.filter((name) => Boolean(facts[name])).map((name) => {
    const value = facts[name];
    if (name === "cpus") return `${value} CPU`;
    if (name.startsWith("memory") && typeof value === "number") return `${(value / 2 ** 30).toFixed(0)} GiB`;
    return String(value);
  });
  return parts.join(" · ");
}
