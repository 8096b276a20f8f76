/** A small world before each test of the suite, and the hands of those who act in it. */
import { beforeEach } from "vitest";
import type { ClaimedTask } from "../../../db/tasks/claim_tasks.ts";
import { Outcome } from "../../../protocol/operation.ts";
import type { OutcomeInput } from "../../../protocol/operation.ts";
import type { StoreWorld, TaskView } from "../store_world.ts";

export const LEASE = 30;
export const GRACE = 60;
export const half = () => 0.5;
export const idOf = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;
export const [ENVIRONMENT, OTHER_ENVIRONMENT, ONE, TWO, DEPLOYMENT] = [1, 2, 3, 4, 5].map(idOf) as [
  string,
  string,
  string,
  string,
  string,
];
export const [A, B, C, D, WHOLE] = [11, 12, 13, 14, 20].map(idOf) as [string, string, string, string, string];
export const success: OutcomeInput = { status: "success", message: "Done." };
export const failure: OutcomeInput = { status: "failed", message: "It broke." };

export type StorePlay = ReturnType<typeof playIn>;

/** Two agents of one environment and a deployment there, anew for each test. */
export function playIn(open: () => Promise<StoreWorld>) {
  let world: StoreWorld;
  beforeEach(async () => {
    world = await open();
    await world.environment(ENVIRONMENT);
    await world.environment(OTHER_ENVIRONMENT);
    await world.agent(ONE, [ENVIRONMENT]);
    await world.agent(TWO, [ENVIRONMENT]);
    await world.deployment(DEPLOYMENT, ENVIRONMENT, "continue");
  });
  const task = (id: string, more: object = {}) => world.task({ id, deploymentId: DEPLOYMENT, ...more });
  const claim = (agentId: string, free = 10) =>
    world.store.claimTasks([{ agentId, agentName: "someone", free }], LEASE);
  const leaseOf = ({ id, fence, agentId }: ClaimedTask) => ({ taskId: id, fence, agentId });
  const finish = (claimed: ClaimedTask, outcome: OutcomeInput) =>
    world.store.finishTasks([{ ...leaseOf(claimed), outcome: Outcome.parse(outcome) }], half);
  const sweep = (isReturn = false) =>
    world.store.reapTasks({ leaseSeconds: LEASE, graceSeconds: GRACE, isReturn, chance: half });
  /** Sweeps as a master does, so that no gap begins a grace. */
  const pass = async (seconds: number) => {
    for (let left = seconds; left > 0; left -= 10) {
      await world.advance(Math.min(10, left) * 1000);
      await sweep();
    }
  };
  const connect = (
    agentId: string,
    sessionId: string,
    resumes: { taskId: string; fence: number; state: "running" | "finished" }[] = [],
  ) =>
    world.store.connectAgent({ agentId, sessionId, slots: 4, facts: {}, versions: {}, resumes }, {
      leaseSeconds: LEASE,
      chance: half,
    });
  const chunk = (claimed: ClaimedTask, sequence: number, offset: number, text: string) => ({
    ...leaseOf(claimed),
    sequence,
    offset,
    data: new TextEncoder().encode(text),
  });
  const see = async (id: string): Promise<TaskView> => (await world.read()).tasks.find((t) => t.id === id)!;
  const states = async () => Object.fromEntries((await world.read()).tasks.map((t) => [t.id, t.state]));
  const status = async () => (await world.read()).deployments[0]!.status;
  const claimOne = async (agentId: string) => (await claim(agentId, 1))[0]!;
  return {
    /** The one of the present test. */
    get world() {
      return world;
    },
    task,
    claim,
    leaseOf,
    finish,
    sweep,
    pass,
    connect,
    chunk,
    see,
    states,
    status,
    claimOne,
  };
}
