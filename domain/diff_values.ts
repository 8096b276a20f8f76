/** What differs between two values of any shape, leaf by leaf, as a person reads it. Pure. */
export interface ValueDifference {
  /** `env.LOG_LEVEL`, `runtime.exec[1]`. */
  path: string;
  before: string | null;
  after: string | null;
}
/** Characters of one value. */
const MAX_TEXT = 500;

/** In the order of their paths. */
export function diffValues(before: unknown, after: unknown): ValueDifference[] {
  const [one, other] = [leaves(before), leaves(after)];
  const paths = [...new Set([...one.keys(), ...other.keys()])].sort();
  return paths.flatMap((path) => {
    const [was, is] = [one.get(path), other.get(path)];
    return was === is ? [] : [{ path, before: clip(was), after: clip(is) }];
  });
}

const clip = (text: string | undefined): string | null =>
  text === undefined ? null : text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 3)}...`;

function leaves(value: unknown, path = "", found = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value)) {
    if (value.length === 0 && path !== "") found.set(path, "[]");
    value.forEach((item, index) => leaves(item, `${path}[${index}]`, found));
  } else if (value !== null && typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) leaves(inner, path === "" ? key : `${path}.${key}`, found);
  } else if (value !== null && value !== undefined) found.set(path, String(value));
  return found;
}
