/** What may be handed to Git as a ref or a commit. Stricter than Git itself: nothing that any tool could read as an option. */
const COMMIT = /^([0-9a-f]{40}|[0-9a-f]{64})$/;
// deno-lint-ignore no-control-regex
const FORBIDDEN = /[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|\/\/|\/[.-]|\.lock(\/|$)/;

export const isCommit = (text: string): boolean => COMMIT.test(text);
/** A provider sends an all-zero commit when a ref was deleted. */
export const isZeroCommit = (text: string): boolean => /^0{40,64}$/.test(text);

/** Name of a branch or tag, without `refs/heads/`. */
export function isRefName(name: string): boolean {
  return name.length > 0 && name.length <= 255 && !/^[-./]/.test(name) && !/[./]$/.test(name) && name !== "@" &&
    !FORBIDDEN.test(name);
}

export interface Ref {
  kind: "branch" | "tag";
  name: string;
}

/** `refs/heads/main` -> branch main; undefined for whatever is neither a branch nor a tag with a safe name. */
export function parseRef(ref: string): Ref | undefined {
  const match = /^refs\/(heads|tags)\/(.+)$/s.exec(ref);
  if (!match || !isRefName(match[2]!)) return undefined;
  return { kind: match[1] === "heads" ? "branch" : "tag", name: match[2]! };
}
export const formatRef = (ref: Ref): string => `refs/${ref.kind === "branch" ? "heads" : "tags"}/${ref.name}`;

/** What a version made from this ref at this commit is called: the tag's name, or the branch and twelve digits. */
export const versionName = (ref: Ref, commit: string): string =>
  ref.kind === "tag" ? ref.name : `${ref.name}-${commit.slice(0, 12)}`;
