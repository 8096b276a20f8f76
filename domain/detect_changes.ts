import { pathMatcher } from "./match_glob.ts";

/** One application as two commits see it. */
export interface Comparable {
  name: string;
  /** Hash of the application's document. */
  document: string;
  source?: { paths?: readonly string[]; ignore?: readonly string[] };
}

/**
 * Which applications a commit changed.
 * @param files paths that differ from the base; undefined when there is no base, so that everything is new
 * @param before document hash of each application in the base
 */
export function detectChanges(
  applications: readonly Comparable[],
  files: readonly string[] | undefined,
  before: ReadonlyMap<string, string>,
): Set<string> {
  const changed = applications.filter((application) => {
    const { paths, ignore } = application.source ?? {};
    // Without paths nobody can say what belongs to it, so every commit may have changed it.
    if (files === undefined || paths === undefined) return true;
    if (before.get(application.name) !== application.document) return true;
    const isSource = pathMatcher(paths);
    const isIgnored = pathMatcher(ignore ?? []);
    return files.some((file) => isSource(file) && !isIgnored(file));
  });
  return new Set(changed.map((application) => application.name));
}
