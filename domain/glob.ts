/** `*` within a part, `**` over parts, `?` one character, `{a,b}` either. */
export function globToRegExp(glob: string): RegExp {
  let source = "";
  for (let i = 0; i < glob.length; i++) {
    const c = glob[i]!;
    if (c === "*") {
      if (glob[i + 1] === "*") {
        i++;
        if (glob[i + 1] === "/") {
          i++;
          source += "(?:[^/]*/)*";
        } else source += ".*";
      } else source += "[^/]*";
    } else if (c === "?") source += "[^/]";
    else if (c === "{") source += "(?:";
    else if (c === "}") source += ")";
    else if (c === "," && /\{[^}]*$/.test(glob.slice(0, i))) source += "|";
    else source += c.replace(/[.+^$()|[\]\\]/g, "\\$&");
  }
  return new RegExp(`^${source}$`, "s");
}

export const matchesAny = (text: string, globs: readonly string[]): boolean =>
  globs.some((glob) => {
    try {
      return globToRegExp(glob).test(text);
    } catch (_error: unknown) {
      return false; // an unbalanced brace matches nothing
    }
  });
