/** Versions as context: what a commit is part of, and what lies between two versions. */
import { z } from "zod";
import { DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import { HEALTH } from "../observed.ts";
import { Id, Instant, MaybeInstant } from "./common.ts";

export const CommitInfo = z.object({
  commit: z.string(),
  subject: z.string(),
  author: z.string(),
  /** RFC 3339. */
  date: z.string(),
}).meta({ id: "CommitInfo" });
export type CommitInfo = z.infer<typeof CommitInfo>;

const VersionName = z.object({ id: Id, version: z.string(), gitCommit: z.string().nullable() });

/** Everything that carries a commit: newer contains older. */
export const Carriers = z.object({
  /** Whole; several where repositories share their beginning. */
  commits: z.array(CommitInfo),
  /** Newest first, the newest 200. */
  versions: z.array(VersionName),
  running: z.array(z.object({
    applicationId: Id,
    application: z.string(),
    environmentId: Id,
    environment: z.string(),
    target: z.string(),
    versionId: Id,
    version: z.string(),
    health: z.enum(HEALTH),
  })),
  /** Newest first, the newest 200. */
  deployments: z.array(z.object({
    id: Id,
    versionId: Id,
    version: z.string(),
    environmentId: Id,
    environment: z.string(),
    status: z.enum(DEPLOYMENT_STATES),
    createdAt: Instant,
    completedAt: MaybeInstant,
  })),
}).meta({ id: "Carriers" });
export type Carriers = z.infer<typeof Carriers>;

/** One value of what would run. A secret is a name among others, never its value. */
export const ValueChange = z.object({
  path: z.string(),
  /** null: there was none, or is none any more. */
  before: z.string().nullable(),
  after: z.string().nullable(),
}).meta({ id: "ValueChange" });
export type ValueChange = z.infer<typeof ValueChange>;

/** `unrelated`: the versions are not of one repository, or have no commit. */
export const RELATIONS = ["same", "newer", "older", "diverged", "unrelated"] as const;

export const VersionChanges = z.object({
  from: VersionName,
  to: VersionName,
  /** How `to` stands to `from`. */
  relation: z.enum(RELATIONS),
  /** Commits that `to` has and `from` lacks, newest first. */
  commits: z.array(CommitInfo),
  /** Where to go on: `commitsFrom` of the next call; null when these are the last. */
  nextCommitsFrom: z.number().int().nullable(),
  /** Why no commits can be listed; null when they can. */
  commitsMissing: z.string().nullable(),
  /** Per application and environment that it goes to; where nothing differs there is no line. */
  applications: z.array(z.object({
    application: z.string(),
    environment: z.string(),
    action: z.enum(["added", "removed", "changed"]),
    values: z.array(ValueChange),
    /** So many more values differ than are listed. */
    more: z.number().int(),
  })),
}).meta({ id: "VersionChanges" });
export type VersionChanges = z.infer<typeof VersionChanges>;
