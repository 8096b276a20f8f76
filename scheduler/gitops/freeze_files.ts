/** Files of one commit become blobs: an application's bundle, and its local artifacts. */
import { createHash } from "node:crypto";
import { storeBlob } from "../../db/blobs/store_blob.ts";
import type { Database } from "../../db/database.ts";
import type { Git, TreeEntry } from "../../domain/git.ts";
import { pathMatcher } from "../../domain/match_glob.ts";
import { writeTar } from "./write_tar.ts";

export type FrozenFiles = { blob: { sha256: string; size: number } } | { problem: string };
/** More belongs into an artifact store: whatever is here passes through memory and the database. */
export const MAX_FROZEN_BYTES = 128 * 1024 * 1024;
const LFS_POINTER = "version https://git-lfs.github.com/spec/v1";

interface Chosen {
  entry: TreeEntry;
  /** Its name in the tar. */
  name: string;
}
export interface FilesOf {
  repositoryId: string;
  files: readonly TreeEntry[];
}

/** Files that match, at their repository paths. */
export function freezeBundle(db: Database, git: Git, of: FilesOf, globs: readonly string[]): Promise<FrozenFiles> {
  const matches = pathMatcher(globs);
  return freeze(
    db,
    git,
    of.repositoryId,
    of.files.filter((f) => matches(f.path)).map((entry) => ({ entry, name: entry.path })),
    globs.join(", "),
  );
}

/** A folder's contents, named from that folder on; or one file by its own name. */
export function freezeLocal(db: Database, git: Git, of: FilesOf, path: string): Promise<FrozenFiles> {
  const folder = path.replace(/\/+$/, "").replace(/^(\.\/)+/, "");
  const below = folder === "." || folder === "" ? "" : `${folder}/`;
  const chosen = of.files.flatMap((entry): Chosen[] =>
    entry.path === folder
      ? [{ entry, name: folder.split("/").at(-1)! }]
      : entry.path.startsWith(below)
      ? [{ entry, name: entry.path.slice(below.length) }]
      : []
  );
  return freeze(db, git, of.repositoryId, chosen, path);
}

async function freeze(
  db: Database,
  git: Git,
  repositoryId: string,
  chosen: readonly Chosen[],
  what: string,
): Promise<FrozenFiles> {
  if (chosen.length === 0) return { problem: `no file of the repository is ${what}` };
  // A link could lead out of the repository on whatever machine unpacks it.
  const odd = chosen.find(({ entry }) => entry.kind === "symlink" || entry.kind === "submodule");
  if (odd) {
    const kind = odd.entry.kind === "symlink" ? "a symbolic link" : "a submodule";
    return { problem: `${odd.entry.path} is ${kind}, which is not taken along; put the files themselves there` };
  }
  const size = chosen.reduce((sum, { entry }) => sum + entry.size, 0);
  if (size > MAX_FROZEN_BYTES) {
    return {
      problem: `${what} is ${size} bytes, the most is ${MAX_FROZEN_BYTES}; publish it and name its url instead`,
    };
  }
  const contents = await git.readObjects(repositoryId, chosen.map(({ entry }) => entry.object), size);
  const pointer = contents.findIndex((bytes) =>
    bytes.length < 1024 && new TextDecoder().decode(bytes).startsWith(LFS_POINTER)
  );
  if (pointer >= 0) {
    return {
      problem: `${
        chosen[pointer]!.entry.path
      } is a Git LFS pointer, which is not fetched; commit the file or name its url`,
    };
  }
  const tar = writeTar(chosen.map(({ entry, name }, index) => ({
    path: name,
    executable: entry.kind === "executable",
    content: contents[index]!,
  })));
  return { blob: await storeBlob(db, createHash("sha256").update(tar).digest("hex"), tar) };
}
