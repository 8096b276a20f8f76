/** What becomes of a task in an agent's hands: it is held, it ends, or it is lost. */
import { describe, expect, it } from "vitest";
import {
  A,
  B,
  C,
  D,
  DEPLOYMENT,
  ENVIRONMENT,
  failure,
  GRACE,
  idOf,
  LEASE,
  ONE,
  success,
  TWO,
  WHOLE,
} from "./store_play.ts";
import type { StorePlay } from "./store_play.ts";

export function describeHeldWork(name: string, play: StorePlay): void {
  const { task, claim, leaseOf, finish, sweep, pass, chunk, see, states, status, claimOne } = play;

  describe(`${name}: holding`, () => {
    it("believes only the live fence and its holder", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      const papers = [leaseOf(claimed), { ...leaseOf(claimed), fence: 2 }, { ...leaseOf(claimed), agentId: TWO }];
      for (const [index, paper] of papers.entries()) {
        const expected = index === 0 ? [A] : [];
        expect(await play.world.store.renewLeases([paper], LEASE)).toEqual(expected);
        expect(await play.world.store.acceptTasks([paper])).toEqual(expected);
      }
      expect(await play.world.store.acceptTasks([leaseOf(claimed)])).toEqual([]); // it has begun
      await finish({ ...claimed, fence: 0 }, success);
      await finish({ ...claimed, agentId: TWO }, success);
      expect(await see(A)).toMatchObject({ state: "running", events: ["task.leased", "task.running"] });
    });
    it("F12: refuses an attempt's result, log and renewal once the same agent has the next one", async () => {
      await task(A, { maxAttempts: 2 });
      const old = await claimOne(ONE);
      await finish(old, failure);
      await play.world.advance(60_000);
      const next = await claimOne(ONE);
      const before = await see(A);
      expect(await finish(old, success)).toEqual([]);
      expect(await play.world.store.renewLeases([leaseOf(old)], LEASE)).toEqual([]);
      expect(await play.world.store.appendChunks([chunk(old, 0, 0, "late")])).toEqual([]);
      expect(await see(A)).toEqual(before);
      expect(await finish(next, success)).toEqual([A]);
    });
    it("says what agents hold, and what of it somebody wants stopped", async () => {
      for (const id of [A, B]) await task(id);
      await claim(ONE);
      expect(await play.world.cancelTask(A)).toBe(true);
      expect(await play.world.store.readCancels([ONE, TWO])).toMatchObject([{ id: A, fence: 1, agentId: ONE }]);
      expect((await play.world.store.readHeld([ONE])).map((held) => held.id).sort()).toEqual([A, B]);
      expect(await play.world.store.readHeld([TWO])).toEqual([]);
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
      await play.world.deployment(idOf(6), ENVIRONMENT, "stop");
      for (const id of [A, B, C]) await play.world.task({ id, deploymentId: idOf(6) });
      const [a, b] = await claim(ONE, 2);
      await finish(a!, failure);
      expect(await states()).toMatchObject({ [a!.id]: "failed", [b!.id]: "leased", [C]: "skipped" });
      await finish(b!, success);
      expect((await play.world.read()).deployments.at(-1)).toMatchObject({ status: "failed" });
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
      expect((await see(A)).runAfter).toBe(play.world.now() + 750);
      await play.world.advance(750);
      await finish(await claimOne(ONE), failure);
      expect(await see(A)).toMatchObject({ state: "failed", reason: "task.attempts_used_up" });
    });
    it("does not count against the task what an agent had to leave, five times", async () => {
      await task(A);
      for (let losses = 1; losses < 5; losses++) {
        await finish(await claimOne(ONE), { ...failure, retryable: true });
        expect(await see(A)).toMatchObject({ state: "pending", losses });
        await play.world.advance(60_000);
      }
      await finish(await claimOne(ONE), { ...failure, retryable: true });
      expect((await see(A)).state).toBe("failed");
    });
    it("lets a cancel win over a failure, and a success over a cancel", async () => {
      for (const id of [A, B, C]) await task(id);
      const claimed = await claim(ONE, 2);
      expect(await play.world.cancelDeployment(DEPLOYMENT)).toBe(true);
      expect([await states(), await status()]).toEqual([
        { [A]: "cancelling", [B]: "cancelling", [C]: "cancelled" },
        "cancelling",
      ]);
      await finish(claimed[0]!, { ...failure, retryable: true });
      await finish(claimed[1]!, success);
      expect(await states()).toMatchObject({ [claimed[0]!.id]: "cancelled", [claimed[1]!.id]: "success" });
      expect(await status()).toBe("cancelled");
      expect(await play.world.cancelDeployment(DEPLOYMENT)).toBe(true); // asked twice is as good as once
      expect(await play.world.cancelTask(C)).toBe(false);
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
      await play.world.store.renewLeases([leaseOf(again[0]!)], LEASE);
      await pass(20);
      expect(await states()).toMatchObject({ [again[0]!.id]: "leased", [again[1]!.id]: "pending" });
      expect(await finish(claimed[0]!, success)).toEqual([]);
    });
    it("F4: ends no lease within the grace after a time in which nobody swept", async () => {
      await pass(70);
      await task(A);
      await claim(ONE);
      await play.world.advance(4 * LEASE * 1000);
      for (let second = 0; second < GRACE; second += 10) {
        expect(await sweep()).toBe(0);
        await play.world.advance(10_000);
      }
      expect(await sweep()).toBe(1);
      expect(await see(A)).toMatchObject({ state: "pending", reason: "task.lease_expired", losses: 1 });
    });
    it("F3: ends no lease within the grace after the return of a master that was away for less than a lease", async () => {
      await pass(70);
      await task(A);
      await claim(ONE);
      await pass(LEASE - 5);
      await play.world.advance(10_000);
      expect(await sweep(true)).toBe(0);
      await pass(GRACE - 10);
      expect(await see(A)).toMatchObject({ state: "leased", attempt: 1 });
      await pass(20);
      expect(await see(A)).toMatchObject({ state: "pending", reason: "task.lease_expired" });
    });
    it.each([
      { who: "one of two masters begins anew every 50 s", starts: 50, sweeps: 5 },
      { who: "the only master begins anew every 10 s", starts: 10, sweeps: 10 },
    ])("a dead agent's lease ends within twice the grace while $who", async ({ starts, sweeps }) => {
      await pass(70);
      const lived: number[] = [];
      for (let round = 0; round < 3; round++) {
        await task(idOf(40 + round));
        await claim(ONE);
        let [second, lost] = [0, 0];
        for (; lost === 0 && second < 600; second += sweeps) {
          await play.world.advance(sweeps * 1000);
          lost += await sweep(second % starts === 0);
        }
        lived.push(second);
      }
      for (const seconds of lived) {
        expect(seconds).toBeGreaterThan(LEASE);
        expect(seconds).toBeLessThanOrEqual(LEASE + 2 * GRACE + 2 * sweeps);
      }
    });
    it("F4: begins a whole grace after each time in which nobody swept, however long the one before was", async () => {
      await sweep(true);
      for (let times = 0; times < 3; times++) {
        await pass(50);
        await sweep(true);
      }
      await task(A);
      await claim(ONE);
      await play.world.advance(4 * LEASE * 1000);
      expect(await sweep(true)).toBe(0);
      await pass(GRACE - 10);
      expect(await see(A)).toMatchObject({ state: "leased", attempt: 1 });
      await pass(10);
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
      expect(await see(A)).toMatchObject({ state: "failed", reason: "task.losses_used_up" });
      expect(await status()).toBe("failed");
    });
    it("calls cancelled what its agent never answered for", async () => {
      await pass(70);
      await task(A);
      await claim(ONE);
      await play.world.cancelTask(A);
      await pass(40);
      expect([(await see(A)).state, await status()]).toEqual(["cancelled", "cancelled"]);
    });
  });
}
