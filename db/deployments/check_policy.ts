import { AppError } from "../../domain/app_error.ts";
import { isDeployable } from "../../domain/deployable.ts";
import { matchesName } from "../../domain/match_glob.ts";
import type { EnvironmentRow, VersionRow } from "./load_plan.ts";

/** The environment's own floor: which versions may come here at all. @throws AppError `policy.refused` with the rule */
export function checkPolicy(version: VersionRow, environment: EnvironmentRow): void {
  const refuse = (why: string): never => {
    throw new AppError(
      "forbidden",
      "policy.refused",
      `${environment.name} does not take version ${version.version}: ${why}`,
    );
  };
  if (environment.status !== "active") {
    throw new AppError(
      "conflict",
      "environment.inactive",
      `${environment.name} is inactive; activate it before deploying to it.`,
    );
  }
  if (!isDeployable(version)) throw sayUndeployable(version);
  const { branches, tags, repositories } = environment.policy;
  if (repositories && !repositories.some((r) => matchesName(r, version.repository))) {
    refuse(`its policy allows the repositories ${repositories.join(", ")} only.`);
  }
  if (version.gitTag) {
    if (tags && !tags.some((t) => matchesName(t, version.gitTag!))) {
      refuse(`its policy allows the tags ${tags.join(", ")} only.`);
    }
    if (branches && !tags) {
      refuse(`its policy allows versions of the branches ${branches.join(", ")} only, and this one is of a tag.`);
    }
  } else if (branches && !branches.some((b) => matchesName(b, branchOf(version)))) {
    refuse(`its policy allows the branches ${branches.join(", ")} only.`);
  } else if (tags && !branches) refuse(`its policy allows versions of the tags ${tags.join(", ")} only.`);
}

/** A push's version is called `<branch>-<sha12>`. */
const branchOf = (version: VersionRow) => version.version.replace(/-[0-9a-f]{12}$/, "");

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
