/** Short forms of long names. */
export const shortCommit = (commit: string | null): string => commit?.slice(0, 10) ?? "";
export const shortId = (id: string): string => id.slice(-8);
/** `https://github.com/acme/shop.git` -> `acme/shop`; the whole address stays in the title. */
export const repositoryName = (url: string): string => {
  const path = url.replace(/^[a-z+]+:\/\/[^/]*\//i, "").replace(/^[^@/]+@[^:/]+:/, "").replace(/\.git$/, "");
  return path.split("/").filter(Boolean).slice(-2).join("/") || url;
};
/** `a=1, b=2` -> `{a: "1", b: "2"}`; undefined when a part has no name. */
export function parseLabels(text: string): Record<string, string> | undefined {
  const parts = text.split(",").map((part) => part.trim()).filter(Boolean);
  const labels = parts.map((part) => part.match(/^([^=\s]+)\s*=\s*(.*)$/));
  return labels.every((match) => match !== null) ? Object.fromEntries(labels.map((m) => [m![1]!, m![2]!])) : undefined;
}
export const labelsText = (labels: Record<string, string>): string =>
  Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(", ");
