/** What Git is asked for, as types: `host/git.ts` runs the real one. */

/** A remote as it is registered. The credential is opened only for the call that needs it. */
export interface GitRemote {
  repositoryId: string;
  url: string;
  credential: string | null;
  /** User name that goes with a bare token over https. */
  tokenUser: string;
}

export interface TreeEntry {
  path: string;
  kind: "file" | "executable" | "symlink" | "submodule";
  /** Object id of the content. */
  object: string;
  /** Bytes; 0 for a submodule. */
  size: number;
}
export interface CommitInfo {
  commit: string;
  subject: string;
  author: string;
  /** As the commit has it: whoever made it chose it freely. */
  authorEmail: string;
  /** RFC 3339. */
  date: string;
}

export interface Git {
  /** Every branch and tag of the remote -> commit (an annotated tag's commit, not the tag). Full ref names. */
  lsRemote(remote: GitRemote): Promise<Map<string, string>>;
  /** Brings these refs into the mirror, with their history. A ref that the remote lacks is `ref_missing`. */
  fetch(remote: GitRemote, refs: readonly string[]): Promise<void>;
  /** The commit that a ref or commit of the mirror stands for; undefined when the mirror lacks it. */
  resolve(repositoryId: string, name: string): Promise<string | undefined>;
  commitInfo(repositoryId: string, commit: string): Promise<CommitInfo>;
  /** True when `ancestor` is the commit itself or contained in it. */
  isAncestor(repositoryId: string, ancestor: string, commit: string): Promise<boolean>;
  /** Every file of the commit, by path. */
  listFiles(repositoryId: string, commit: string): Promise<TreeEntry[]>;
  /** Contents as they are stored: no filter, no line-end conversion. In the order asked for. */
  readObjects(repositoryId: string, objects: readonly string[], maxBytes: number): Promise<Uint8Array[]>;
  /** Those of `among` that contain the commit, itself included; what the mirror lacks contains nothing. */
  containing(repositoryId: string, commit: string, among: readonly string[]): Promise<Set<string>>;
  /** Commits that `commit` has and `base` lacks, newest first. */
  log(
    repositoryId: string,
    base: string,
    commit: string,
    page: { skip: number; limit: number },
  ): Promise<CommitInfo[]>;
  /** Paths that differ between two commits. */
  diffNames(repositoryId: string, base: string, commit: string): Promise<string[]>;
}

export type GitErrorKind =
  | "unavailable" // the network or the remote was away: try again
  | "timeout" // it took too long: try again
  | "auth" // the remote wants another credential
  | "not_found" // no such repository, or not for this credential
  | "ref_missing" // no such branch or tag
  | "refused" // an address or redirect that is not allowed
  | "too_large" // more output than is worth reading
  | "no_git" // no git program here
  | "failed"; // anything else

/** A sentence for a person; never holds a credential. */
export class GitError extends Error {
  override readonly name = "GitError";
  constructor(readonly kind: GitErrorKind, message: string) {
    super(message);
  }
  /** The same call may pass later without anybody changing anything. */
  get isTransient(): boolean {
    return this.kind === "unavailable" || this.kind === "timeout";
  }
}
