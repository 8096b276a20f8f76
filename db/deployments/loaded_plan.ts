/** What a plan is made from and what it is made into: data only, for all who plan, write and start deployments. */
import type { ConcurrencyInput } from "../../domain/concurrency.ts";
import type { FreezeInput } from "../../domain/freeze.ts";
import type { OfflinePolicy } from "../../domain/missing_machine.ts";
import type { FailurePlan } from "../../domain/plan_failure.ts";
import type { PlannedTask } from "../../domain/planned_task.ts";
import type { PlanStages, StrategyInput } from "../../domain/strategy.ts";
import type { AppBuild } from "../../protocol/api/catalog.ts";
import type { Database } from "../database.ts";
import type { Hints } from "../hints.ts";
import type { CandidateApplication, PlannedApplication } from "./read_planned_apps.ts";

export interface DeploymentDeps {
  db: Database;
  hints: Hints;
  /** Environment type -> how its operator plans stages. */
  planners: Record<string, PlanStages>;
}
export interface PlanRequest {
  projectId: string;
  versionId: string;
  environmentId: string;
  /** null: all that changed and are bound to the environment. */
  applications: string[] | null;
  /** null: the order of the version's Plan. */
  mustInOrder: string[] | null;
  strategy: StrategyInput | null;
  /** Only these machines, by name, of those it would go to; null: all of them. */
  onlyTargets?: readonly string[] | null;
  /** What runs is applied anew: no hook belongs to that. */
  reapply?: boolean;
  /** The applications are taken away from where they run. */
  removes?: boolean;
  /** Stands for a version that is not recorded: what a commit would become. */
  candidate?: { version: VersionRow; applications: CandidateApplication[] };
}
export interface VersionRow {
  id: string;
  version: string;
  gitTag: string | null;
  /** The branch or tag it was seen at, `refs/heads/main`; null of one that was only posted. */
  seenRef: string | null;
  gitCommit: string | null;
  repository: string;
  repositoryId: string | null;
  status: "normal" | "revert";
  builds: "waiting" | "ready" | "failed";
  buildsReason: { text: string };
  appBuilds: Record<string, Partial<AppBuild>>;
  plan: {
    mustInOrder?: string[];
    strategy?: StrategyInput;
    concurrency?: ConcurrencyInput;
    freeze?: (FreezeInput & { environment: string })[];
  };
}
export interface EnvironmentRow {
  id: string;
  name: string;
  type: "k8s" | "pm" | "mock";
  status: "active" | "inactive";
  config: {
    appToNodes?: Record<string, string[]>;
    env?: Record<string, string>;
    offline?: OfflinePolicy;
    targets?: string[];
    prometheus?: { server: string };
  };
  policy: {
    branches?: string[];
    tags?: string[];
    repositories?: string[];
    approvals?: { count: number; roles?: string[]; notAuthor?: boolean; onExpire?: "reject" | "approve" };
    agentsRequired?: number;
    /** Who may leave out checks of the applications' own strategies. */
    strategyOverride?: { role: string };
    /** Most time a rollback may take here. */
    rollbackDeadline?: string;
    concurrency?: ConcurrencyInput;
    freezes?: FreezeInput[];
  };
}
export interface LoadedPlan extends FailurePlan {
  version: VersionRow;
  environment: EnvironmentRow;
  applications: PlannedApplication[];
  deployed: PlannedApplication[];
  mustInOrder: string[];
  /** application -> how it goes over its targets */
  strategies: Record<string, StrategyInput>;
  tasks: PlannedTask[];
  removes: boolean;
  /** Approvals and gates of the applications' own strategies that the deployment's leaves out, in words. */
  dropped: string[];
  /** Changes when anything that an approver has seen changes. */
  hash: string;
}
