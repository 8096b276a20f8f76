/** Questions about a repository's history, and what is answered: asked by any process, answered by one with the mirrors. */
import { z } from "zod";
import { CommitInfo, RELATIONS } from "./api/history.ts";
import { Preview } from "./api/work.ts";

/** One schema for the question and one for the answer of each kind. */
export const SOURCE_QUERIES = {
  /** Which versions contain a commit. The commit may be the beginning of one. */
  contains: {
    input: z.object({ sha: z.string() }),
    answer: z.object({ commits: z.array(CommitInfo), versionIds: z.array(z.string()) }),
  },
  /** Commits that one commit has and another lacks, newest first, one more than `limit` when there are more. */
  commits: {
    input: z.object({ base: z.string(), commit: z.string(), skip: z.number(), limit: z.number() }),
    answer: z.object({ commits: z.array(CommitInfo), relation: z.enum(RELATIONS) }),
  },
  /** The plan of a commit that no version stands for. */
  plan: {
    input: z.object({
      ref: z.string().nullable(),
      commit: z.string().nullable(),
      environmentId: z.string(),
    }),
    answer: z.object({ commit: z.string(), version: z.string(), preview: Preview }),
  },
} as const;
export type SourceQueryKind = keyof typeof SOURCE_QUERIES;
export type SourceInput<K extends SourceQueryKind> = z.infer<(typeof SOURCE_QUERIES)[K]["input"]>;
export type SourceAnswer<K extends SourceQueryKind> = z.infer<(typeof SOURCE_QUERIES)[K]["answer"]>;
