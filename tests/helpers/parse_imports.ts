/** The module names a source text imports or re-exports, static and dynamic alike. Strings in comments do not count. */
export function parseImports(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const names = new Set<string>();
  for (const match of code.matchAll(/^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm)) {
    names.add(match[1]!);
  }
  for (const match of code.matchAll(/^\s*import\s+["']([^"']+)["']/gm)) names.add(match[1]!);
  for (const match of code.matchAll(/\bimport\(\s*["']([^"']+)["']/g)) names.add(match[1]!);
  return [...names];
}
