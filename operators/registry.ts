/** The kinds of environment there are, and how each plans. Acting is the agents': they build the operators they host. */
import type { PlanStages } from "../domain/plan_deployment.ts";
import { planStages as planMock } from "./mock/plan.ts";
import { planStages as planPm } from "./pm/plan.ts";

export const stagePlanners: Record<string, PlanStages> = { mock: planMock, pm: planPm };
