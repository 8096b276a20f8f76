import { AppError } from "../../domain/app_error.ts";
import { isDeployable } from "../../domain/deployable.ts";
import { parseRef } from "../../domain/git_ref.ts";
import { matchesName } from "../../domain/match_glob.ts";
import type { EnvironmentRow, LoadedPlan, VersionRow } from "./loaded_plan.ts";

/**
 * The environment's own floor: which versions may come here at all. What takes them away again is asked for no version:
 * one that was reverted, or that the policy takes no more, is all the more to go.
 * @throws AppError `policy.refused` with the rule
 */
export function checkPlan(
  { version, environment, removes }: Pick<LoadedPlan, "version" | "environment" | "removes">,
): void {
  if (environment.status !== "active") {
    throw new AppError(
      "conflict",
      "environment.inactive",
      `${environment.name} is inactive; activate it before deploying to it or removing from it.`,
    );
  }
  if (!removes) checkVersion(version, environment);
}

function checkVersion(version: VersionRow, environment: EnvironmentRow): void {
  const refuse = (why: string): never => {
    throw new AppError(
      "forbidden",
      "policy.refused",
      `${environment.name} does not take version ${version.version}: ${why}`,
    );
  };
  if (!isDeployable(version)) throw sayUndeployable(version);
  const { branches, tags, repositories } = environment.policy;
  if (repositories && !repositories.some((r) => matchesName(r, version.repository))) {
    refuse(`its policy allows the repositories ${repositories.join(", ")} only.`);
  }
  if (!branches && !tags) return;
  const wanted = [branches && `the branches ${branches.join(", ")}`, tags && `the tags ${tags.join(", ")}`]
    .filter(Boolean).join(" and ");
  // Whoever posts a version may call it as they like: only what was seen at the remote tells where it comes from.
  const ref = version.seenRef === null ? undefined : parseRef(version.seenRef);
  if (!ref) {
    refuse(
      `its policy allows ${wanted} only, and this version was posted and never seen at the remote. Deploy the version that the push of its commit recorded; what was built can be given to that one.`,
    );
  } else if (!(ref.kind === "tag" ? tags : branches)?.some((pattern) => matchesName(pattern, ref.name))) {
    refuse(`its policy allows ${wanted} only, and this one is of ${ref.kind} ${ref.name}.`);
  }
}

const sayUndeployable = ({ status, version, buildsReason }: VersionRow): AppError =>
  status === "revert"
    ? new AppError(
      "conflict",
      "version.reverted",
      `Version ${version} is marked as reverted; clear the mark (unrevert, with a reason) before deploying it.`,
    )
    : new AppError(
      "conflict",
      "version.builds_failed",
      `The artifacts of version ${version} did not come: ${buildsReason.text}`,
    );
