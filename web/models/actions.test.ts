import { describe, expect, it } from "vitest";
import { canMoveDeployment, DEPLOYMENT_STATES, EDITABLE_DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { can, DEPLOYMENT_ACTIONS, deploymentActions, taskActions } from "./actions.ts";
import type { DeploymentAction } from "./actions.ts";

const failed = { failed: 1 };
const reason = { code: "deployment.paused", params: {}, text: "" };
const offered = (status: DeploymentState, progress = failed, said = reason) =>
  deploymentActions({ status, progress, reason: said }, "deployer");

/** Where an act leads; the domain's table says from which states that is a legal move. */
const LEADS_TO: Partial<Record<DeploymentAction, DeploymentState>> = {
  resume: "running",
  retry: "running",
  pause: "paused",
  rollback: "rolling_back",
};

describe("what may be done with a deployment", () => {
  it.each(DEPLOYMENT_STATES)("offers in state %s only what the domain allows", (status) => {
    for (const action of offered(status)) {
      const to = LEADS_TO[action];
      if (to) expect(canMoveDeployment(status, to), `${action} while ${status}`).toBe(true);
    }
  });

  it("lets an approver decide and anybody start what waits", () => {
    expect(offered("awaiting_approval")).toEqual(["approve", "reject", "cancel"]);
    expect(offered("pending")).toEqual(["start", "cancel"]);
    expect(EDITABLE_DEPLOYMENT_STATES.every((s) => offered(s).includes("cancel"))).toBe(true);
  });

  it("lets each failed task be decided about while it asks, instead of going on over it", () => {
    const asks = { ...reason, code: "deployment.paused_on_failure_until" };
    expect(offered("paused", failed, asks)).toEqual(["rollback", "cancel"]);
  });
  it("offers a retry only when something failed", () => {
    expect(offered("paused")).toContain("retry");
    expect(offered("paused", { failed: 0 })).not.toContain("retry");
  });

  it("offers a viewer nothing", () => {
    for (const status of DEPLOYMENT_STATES) {
      expect(deploymentActions({ status, progress: failed, reason }, "viewer")).toEqual([]);
      expect(deploymentActions({ status, progress: failed, reason }, undefined)).toEqual([]);
    }
  });

  it("reaches every act from some state", () => {
    expect(new Set(DEPLOYMENT_STATES.flatMap((s) => offered(s)))).toEqual(new Set(DEPLOYMENT_ACTIONS));
  });
});

describe("what may be done with a task", () => {
  it("is a retry of a failed one while its deployment waits for that", () => {
    expect(taskActions({ status: "failed" }, { status: "paused" }, "deployer")).toEqual(["retry"]);
    expect(taskActions({ status: "failed" }, { status: "rolled_back" }, "deployer")).toEqual([]);
  });

  it("is a cancel of a running one", () => {
    expect(taskActions({ status: "running" }, { status: "running" }, "deployer")).toEqual(["cancel"]);
    expect(taskActions({ status: "running" }, { status: "running" }, "viewer")).toEqual([]);
  });
});

it("ranks the roles", () => {
  expect([can("viewer", "deploy"), can("deployer", "deploy"), can("deployer", "manage"), can("admin", "manage")])
    .toEqual([false, true, false, true]);
});
