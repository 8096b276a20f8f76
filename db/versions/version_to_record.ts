/** What a commit says, prepared: everything that `record_version` writes. */
import type { LateArtifact } from "../../protocol/config/artifacts.ts";
import type { ApplicationDocument, PlanDocument } from "../../protocol/config_file.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { ClaimedDelivery } from "../repositories/claim_delivery.ts";
import type { RepositoryRow } from "../repositories/repository_row.ts";

export interface RecordedApplication {
  document: ApplicationDocument;
  changed: boolean;
  bundle: { sha256: string; size: number } | null;
  pinned: Record<string, PinnedArtifact>;
  late: readonly LateArtifact[];
}
export interface VersionToRecord {
  delivery: ClaimedDelivery;
  repository: Pick<RepositoryRow, "id" | "projectId" | "url"> & Partial<Pick<RepositoryRow, "discovery">>;
  name: string;
  ref: string;
  tag: string | null;
  commit: string;
  description: string;
  createdBy: string;
  /** Of who wrote the commit; absent where nobody knows. */
  authorEmail?: string;
  plan: PlanDocument | null;
  applications: readonly RecordedApplication[];
  /** The default branch says what applications are like now; another ref only adds those that are new. */
  isDefaultBranch: boolean;
  /** And this is its newest commit: what it no longer declares is gone. */
  isNewest?: boolean;
}
