/** What the simulation relies on, said once and asked of both: the verbs on PostgreSQL, and their twin in memory. */
import { beforeEach, describe, expect, it } from "vitest";
import { Outcome } from "../../protocol/operation.ts";
import type { OutcomeInput } from "../../protocol/operation.ts";
import type { ClaimedTask } from "../../db/tasks/claim_tasks.ts";
import type { StoreWorld, TaskView } from "./store_world.ts";

const LEASE = 30;
const GRACE = 60;
const half = () => 0.5;
export const idOf = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;
const [ENVIRONMENT, OTHER_ENVIRONMENT, ONE, TWO, DEPLOYMENT] = [1, 2, 3, 4, 5].map(idOf) as [
  string,
  string,
  string,
  string,
  string,
];
const [A, B, C, D, WHOLE] = [11, 12, 13, 14, 20].map(idOf) as [string, string, string, string, string];
const success: OutcomeInput = { status: "success", message: "Done." };
const failure: OutcomeInput = { status: "failed", message: "It broke." };

export function describeStore(name: string, open: () => Promise<StoreWorld>): void {
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

  describe(`${name}: handing out`, () => {
    it("gives each task once, counting fence and attempt, for as long as a lease", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      expect(claimed).toMatchObject({ id: A, agentId: ONE, fence: 1, attempt: 1 });
      expect(await claim(TWO)).toEqual([]);
      expect(await see(A)).toMatchObject({ state: "leased", leaseExpiresAt: world.now() + LEASE * 1000 });
    });
    it("gives no more than there is room for, in the order of the plan, what is meant for one before what is for all", async () => {
      for (const id of [A, B, C]) await task(id);
      await task(D, { targetAgentId: ONE });
      expect((await claim(ONE, 2)).map((t) => t.id)).toEqual([A, D]);
      expect((await claim(TWO, 9)).map((t) => t.id)).toEqual([B, C]);
    });
    it("never gives away what is meant for another agent, or for another environment's", async () => {
      await task(A, { targetAgentId: TWO });
      await world.agent(idOf(9), [OTHER_ENVIRONMENT]);
      await task(B);
      expect(await claim(idOf(9))).toEqual([]);
      expect((await claim(ONE)).map((t) => t.id)).toEqual([B]);
    });
    it("gives nothing on a connection that a newer one has replaced", async () => {
      await task(A);
      await connect(ONE, idOf(100));
      await connect(ONE, idOf(101));
      const want = { agentId: ONE, agentName: "one", free: 1 };
      expect(await world.store.claimTasks([{ ...want, sessionId: idOf(100) }], LEASE)).toEqual([]);
      expect(await world.store.claimTasks([{ ...want, sessionId: idOf(101) }], LEASE)).toHaveLength(1);
    });
    it("gives two that ask at once different tasks, if need be at their second asking", async () => {
      for (const id of [A, B]) await task(id);
      const both = [ONE, TWO].map((agentId) => ({ agentId, agentName: "x", free: 1 }));
      const first = await world.store.claimTasks(both, LEASE);
      const served = new Set(first.map((t) => t.agentId));
      const second = await world.store.claimTasks(both.filter((want) => !served.has(want.agentId)), LEASE);
      expect([...first, ...second].map((t) => t.id).sort()).toEqual([A, B]);
    });
    it("hands on, with the end of a task, what became ready by it, to who has room and may have it", async () => {
      await task(A);
      await task(B, { dependsOn: [A] });
      await task(C, { dependsOn: [A], targetAgentId: TWO });
      const claimed = await claimOne(ONE);
      const result = { ...leaseOf(claimed), outcome: Outcome.parse({ status: "success", message: "Done." }) };
      const room = [{ agentId: ONE, agentName: "one", free: 5 }];
      const forged = await world.store.finishAndHandOn([{ ...result, fence: 9 }], half, room, LEASE);
      expect(forged).toEqual({ taken: [], claimed: [] });
      const { taken, claimed: more } = await world.store.finishAndHandOn([result], half, room, LEASE);
      expect(taken).toEqual([A]);
      expect(more.map(({ id, agentId, fence }) => ({ id, agentId, fence }))).toEqual([{
        id: B,
        agentId: ONE,
        fence: 1,
      }]);
      const { tasks } = await world.read();
      expect(tasks.map((t) => t.state)).toEqual(["success", "leased", "pending"]);
    });
    it("hands nothing on where something has failed: the deployment may have a move to make first", async () => {
      await task(WHOLE, { isLeaf: false, maxFailures: 1 });
      for (const id of [A, B]) await task(id, { parentId: WHOLE });
      await task(C, { dependsOn: [WHOLE] });
      const [first, last] = await claim(ONE, 2);
      await finish(first!, failure);
      const result = { ...leaseOf(last!), outcome: Outcome.parse(success) };
      const room = [{ agentId: ONE, agentName: "one", free: 5 }];
      expect(await world.store.finishAndHandOn([result], half, room, LEASE)).toEqual({ taken: [B], claimed: [] });
      expect((await claim(ONE)).map((t) => t.id)).toEqual([C]);
    });
  });

  describe(`${name}: holding`, () => {
    it("believes only the live fence and its holder", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      const papers = [leaseOf(claimed), { ...leaseOf(claimed), fence: 2 }, { ...leaseOf(claimed), agentId: TWO }];
      for (const [index, paper] of papers.entries()) {
        const expected = index === 0 ? [A] : [];
        expect(await world.store.renewLeases([paper], LEASE)).toEqual(expected);
        expect(await world.store.acceptTasks([paper])).toEqual(expected);
      }
      expect(await world.store.acceptTasks([leaseOf(claimed)])).toEqual([]); // it has begun
      await finish({ ...claimed, fence: 0 }, success);
      await finish({ ...claimed, agentId: TWO }, success);
      expect(await see(A)).toMatchObject({ state: "running", events: ["task.leased", "task.running"] });
    });
    it("F12: refuses an attempt's result, log and renewal once the same agent has the next one", async () => {
      await task(A, { maxAttempts: 2 });
      const old = await claimOne(ONE);
      await finish(old, failure);
      await world.advance(60_000);
      const next = await claimOne(ONE);
      const before = await see(A);
      expect(await finish(old, success)).toEqual([]);
      expect(await world.store.renewLeases([leaseOf(old)], LEASE)).toEqual([]);
      expect(await world.store.appendChunks([chunk(old, 0, 0, "late")])).toEqual([]);
      expect(await see(A)).toEqual(before);
      expect(await finish(next, success)).toEqual([A]);
    });
    it("says what agents hold, and what of it somebody wants stopped", async () => {
      for (const id of [A, B]) await task(id);
      await claim(ONE);
      expect(await world.cancelTask(A)).toBe(true);
      expect(await world.store.readCancels([ONE, TWO])).toMatchObject([{ id: A, fence: 1, agentId: ONE }]);
      expect((await world.store.readHeld([ONE])).map((held) => held.id).sort()).toEqual([A, B]);
      expect(await world.store.readHeld([TWO])).toEqual([]);
    });
  });

  describe(`${name}: ending`, () => {
    it("unblocks what has waited for all of it, and ends the deployment with the last", async () => {
      for (const id of [A, B]) await task(id);
      await task(C, { dependsOn: [A, B] });
      const [a, b] = await claim(ONE);
      await finish(a!, success);
      expect(await see(C)).toMatchObject({ state: "blocked", unmet: 1 });
      await finish(b!, success);
      await finish(await claimOne(TWO), success);
      expect([await states(), await status()]).toEqual([
        { [A]: "success", [B]: "success", [C]: "success" },
        "completed",
      ]);
    });
    it("skips what waits for a failure, through and through, and lets the rest go on", async () => {
      for (const id of [A, D]) await task(id);
      await task(B, { dependsOn: [A] });
      await task(C, { dependsOn: [B] });
      const claimed = await claim(ONE);
      await finish(claimed.find((t) => t.id === A)!, failure);
      expect([await states(), await status()]).toEqual([
        { [A]: "failed", [B]: "skipped", [C]: "skipped", [D]: "leased" },
        "running",
      ]);
      await finish(claimed.find((t) => t.id === D)!, success);
      expect(await status()).toBe("failed");
    });
    it("begins nothing more when the deployment stops on a failure", async () => {
      await world.deployment(idOf(6), ENVIRONMENT, "stop");
      for (const id of [A, B, C]) await world.task({ id, deploymentId: idOf(6) });
      const [a, b] = await claim(ONE, 2);
      await finish(a!, failure);
      expect(await states()).toMatchObject({ [a!.id]: "failed", [b!.id]: "leased", [C]: "skipped" });
      await finish(b!, success);
      expect((await world.read()).deployments.at(-1)).toMatchObject({ status: "failed" });
    });
    it("rolls parts up: a whole fails only when no part can change that, and tolerates what it may", async () => {
      await task(WHOLE, { isLeaf: false, maxFailures: 1 });
      for (const id of [A, B, C]) await task(id, { parentId: WHOLE });
      await task(D, { dependsOn: [WHOLE] });
      const claimed = await claim(ONE, 3);
      await finish(claimed[0]!, failure);
      expect(await states()).toMatchObject({ [WHOLE]: "running", [D]: "blocked" });
      await finish(claimed[1]!, success);
      await finish(claimed[2]!, success);
      expect(await states()).toMatchObject({ [WHOLE]: "success", [D]: "pending" });
    });
    it("tries again as often as the task may fail, each time later", async () => {
      await task(A, { maxAttempts: 2 });
      await finish(await claimOne(ONE), failure);
      expect(await claim(ONE)).toEqual([]);
      expect((await see(A)).runAfter).toBe(world.now() + 750);
      await world.advance(750);
      await finish(await claimOne(ONE), failure);
      expect(await see(A)).toMatchObject({ state: "failed", reason: "task.attempts_used_up" });
    });
    it("does not count against the task what an agent had to leave, five times", async () => {
      await task(A);
      for (let losses = 1; losses < 5; losses++) {
        await finish(await claimOne(ONE), { ...failure, retryable: true });
        expect(await see(A)).toMatchObject({ state: "pending", losses });
        await world.advance(60_000);
      }
      await finish(await claimOne(ONE), { ...failure, retryable: true });
      expect((await see(A)).state).toBe("failed");
    });
    it("lets a cancel win over a failure, and a success over a cancel", async () => {
      for (const id of [A, B, C]) await task(id);
      const claimed = await claim(ONE, 2);
      expect(await world.cancelDeployment(DEPLOYMENT)).toBe(true);
      expect([await states(), await status()]).toEqual([
        { [A]: "cancelling", [B]: "cancelling", [C]: "cancelled" },
        "cancelling",
      ]);
      await finish(claimed[0]!, { ...failure, retryable: true });
      await finish(claimed[1]!, success);
      expect(await states()).toMatchObject({ [claimed[0]!.id]: "cancelled", [claimed[1]!.id]: "success" });
      expect(await status()).toBe("cancelled");
      expect(await world.cancelDeployment(DEPLOYMENT)).toBe(true); // asked twice is as good as once
      expect(await world.cancelTask(C)).toBe(false);
    });
  });

  describe(`${name}: losing`, () => {
    it("hands out again what nobody renewed, and nothing else", async () => {
      for (const id of [A, B]) await task(id);
      const claimed = await claim(ONE);
      await pass(70);
      expect(await states()).toEqual({ [A]: "pending", [B]: "pending" }); // the grace of the first sweep is over too
      const again = await claim(TWO);
      await pass(20);
      await world.store.renewLeases([leaseOf(again[0]!)], LEASE);
      await pass(20);
      expect(await states()).toMatchObject({ [again[0]!.id]: "leased", [again[1]!.id]: "pending" });
      expect(await finish(claimed[0]!, success)).toEqual([]);
    });
    it("F4: ends no lease within the grace after a time in which nobody swept", async () => {
      await pass(70);
      await task(A);
      await claim(ONE);
      await world.advance(4 * LEASE * 1000);
      for (let second = 0; second < GRACE; second += 10) {
        expect(await sweep()).toBe(0);
        await world.advance(10_000);
      }
      expect(await sweep()).toBe(1);
      expect(await see(A)).toMatchObject({ state: "pending", reason: "task.lease_expired", losses: 1 });
    });
    it("F3: ends no lease within the grace after the return of a master that was away for less than a lease", async () => {
      await pass(70);
      await task(A);
      await claim(ONE);
      await pass(LEASE - 5);
      await world.advance(10_000);
      expect(await sweep(true)).toBe(0);
      await pass(GRACE - 10);
      expect(await see(A)).toMatchObject({ state: "leased", attempt: 1 });
      await pass(20);
      expect(await see(A)).toMatchObject({ state: "pending", reason: "task.lease_expired" });
    });
    it("F39: hands a task that its agents die with to five of them", async () => {
      await pass(70);
      await task(A);
      for (let deaths = 1; deaths < 5; deaths++) {
        await claim(ONE);
        await pass(40);
        expect(await see(A)).toMatchObject({ state: "pending", losses: deaths });
        await pass(60);
      }
      await claim(ONE);
      await pass(40);
      expect([(await see(A)).state, await status()]).toEqual(["failed", "failed"]);
    });
    it("calls cancelled what its agent never answered for", async () => {
      await pass(70);
      await task(A);
      await claim(ONE);
      await world.cancelTask(A);
      await pass(40);
      expect([(await see(A)).state, await status()]).toEqual(["cancelled", "cancelled"]);
    });
  });

  describe(`${name}: coming back`, () => {
    it("confirms what the agent still holds, takes back what it has forgotten, and aborts what is not its own", async () => {
      for (const id of [A, B, C]) await task(id);
      const [kept, forgotten] = await claim(ONE, 2);
      const other = await claimOne(TWO);
      await world.advance(20_000);
      const arrived = await connect(ONE, idOf(100), [
        { taskId: kept!.id, fence: 1, state: "running" },
        { taskId: other.id, fence: 1, state: "running" },
        { taskId: forgotten!.id, fence: 7, state: "running" },
      ]);
      expect(arrived!.verdicts.map((v) => v.verdict)).toEqual(["continue", "abort", "abort"]);
      expect(await see(kept!.id)).toMatchObject({ state: "leased", leaseExpiresAt: world.now() + LEASE * 1000 });
      expect(await see(forgotten!.id)).toMatchObject({ state: "pending", reason: "task.agent_lost_it", losses: 1 });
      expect(await see(other.id)).toMatchObject({ state: "leased", agentId: TWO });
    });
    it("lets an agent send a result again that was accepted, and says how much of its log is durable", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      await world.store.appendChunks([chunk(claimed, 0, 0, "hello ")]);
      await finish(claimed, success);
      const arrived = await connect(ONE, idOf(100), [{ taskId: A, fence: 1, state: "finished" }]);
      expect(arrived!.verdicts).toEqual([{ taskId: A, fence: 1, verdict: "send_result", logOffset: 6 }]);
      expect(await finish(claimed, success)).toEqual([]);
    });
    it("notes the end of a connection unless a newer one has taken its place", async () => {
      await connect(ONE, idOf(100));
      await connect(ONE, idOf(101));
      await world.store.disconnectAgent(ONE, idOf(100));
      expect((await world.read()).sessions[ONE]).toBe(idOf(101));
      await world.store.disconnectAgent(ONE, idOf(101));
      expect((await world.read()).sessions[ONE]).toBe(null);
    });
    it("says which connections are not their agents' any more", async () => {
      await connect(ONE, idOf(100));
      await connect(TWO, idOf(200));
      const known = [{ agentId: ONE, sessionId: idOf(100) }, { agentId: TWO, sessionId: idOf(200) }];
      expect(await world.store.findReplaced(known)).toEqual([]);
      await connect(ONE, idOf(101));
      await world.store.disconnectAgent(TWO, idOf(200));
      expect((await world.store.findReplaced([...known, { agentId: idOf(99), sessionId: idOf(300) }])).sort())
        .toEqual([idOf(100), idOf(200), idOf(300)]);
    });
    it("connects together those who hold nothing, and leaves the others to be reconciled", async () => {
      await task(A);
      await claimOne(ONE);
      const arrival = { slots: 4, facts: {}, versions: {}, resumes: [] };
      const arrived = await world.store.connectIdle([
        { ...arrival, agentId: ONE, sessionId: idOf(100) },
        { ...arrival, agentId: TWO, sessionId: idOf(200) },
      ]);
      expect(arrived).toMatchObject([{ agentId: TWO, cordoned: false }]);
      expect((await world.read()).sessions).toMatchObject({ [ONE]: null, [TWO]: idOf(200) });
    });
    it("lets no connection in whose agent came by another one since its hello was read", async () => {
      const arrival = { slots: 4, facts: {}, versions: {}, resumes: [] };
      const { arrivals: seen } = (await world.store.readAgentIdentity(ONE))!;
      await connect(ONE, idOf(101));
      await task(A);
      const given = await claimOne(ONE);
      const slow = { ...arrival, agentId: ONE, sessionId: idOf(100), seen };
      const options = { leaseSeconds: LEASE, chance: half };
      expect(await world.store.connectIdle([slow])).toEqual([]);
      expect(await world.store.connectAgent(slow, options)).toMatchObject({ isSuperseded: true });
      expect((await world.read()).sessions).toMatchObject({ [ONE]: idOf(101) });
      expect(await see(A)).toMatchObject({ state: "leased", fence: given.fence });
      const now = await world.store.readAgentIdentity(ONE);
      const resumes = [{ taskId: given.id, fence: given.fence, state: "running" as const }];
      const next = await world.store.connectAgent({ ...slow, resumes, seen: now!.arrivals }, options);
      expect(next).toMatchObject({ verdicts: [{ verdict: "continue" }] });
      expect((await world.store.readAgentIdentity(ONE))!.arrivals).toBe(now!.arrivals + 1);
    });
    it("knows who an agent is, and that a stranger is none", async () => {
      expect(await world.store.readAgentIdentity(ONE)).toMatchObject({ id: ONE, embedded: false });
      expect(await world.store.readAgentIdentity(idOf(99))).toBeUndefined();
      expect(await connect(idOf(99), idOf(100))).toBeUndefined();
    });
  });

  describe(`${name}: logs`, () => {
    it("I6: stores each chunk once and in order, and says where to go on after a gap", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      const [first, second, third] = [
        chunk(claimed, 0, 0, "one "),
        chunk(claimed, 1, 4, "two "),
        chunk(claimed, 2, 8, "three"),
      ];
      expect(await world.store.appendChunks([third])).toMatchObject([{ taskId: A, attempt: 1, offset: 0 }]);
      expect(await world.store.appendChunks([second, first, first])).toMatchObject([{ offset: 8 }]);
      expect(await world.store.appendChunks([first])).toMatchObject([{ offset: 8 }]);
      await finish(claimed, success);
      expect(await world.store.appendChunks([third])).toMatchObject([{ offset: 13 }]); // ended, and still its last holder's
      expect((await see(A)).logs).toEqual({ 1: "one two three" });
    });
    it("tells the old lease's chunks from the live one's in one batch", async () => {
      await task(A, { maxAttempts: 2 });
      const old = await claimOne(ONE);
      await finish(old, failure);
      await world.advance(60_000);
      const next = await claimOne(TWO);
      const heads = await world.store.appendChunks([chunk(old, 0, 0, "old"), chunk(next, 0, 0, "new")]);
      expect(heads).toEqual([{ taskId: A, fence: 2, agentId: TWO, attempt: 2, offset: 3 }]);
      expect((await see(A)).logs).toEqual({ 2: "new" });
    });
  });
}
