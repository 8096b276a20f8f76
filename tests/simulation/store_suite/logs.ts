/** What an agent's task has written. */
import { describe, expect, it } from "vitest";
import { A, failure, ONE, success, TWO } from "./store_play.ts";
import type { StorePlay } from "./store_play.ts";

export function describeLogs(name: string, play: StorePlay): void {
  const { task, finish, chunk, see, claimOne } = play;

  describe(`${name}: logs`, () => {
    it("I6: stores each chunk once and in order, and says where to go on after a gap", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      const [first, second, third] = [
        chunk(claimed, 0, 0, "one "),
        chunk(claimed, 1, 4, "two "),
        chunk(claimed, 2, 8, "three"),
      ];
      expect(await play.world.store.appendChunks([third])).toMatchObject([{ taskId: A, attempt: 1, offset: 0 }]);
      expect(await play.world.store.appendChunks([second, first, first])).toMatchObject([{ offset: 8 }]);
      expect(await play.world.store.appendChunks([first])).toMatchObject([{ offset: 8 }]);
      await finish(claimed, success);
      expect(await play.world.store.appendChunks([third])).toMatchObject([{ offset: 13 }]); // ended, and still its last holder's
      expect((await see(A)).logs).toEqual({ 1: "one two three" });
    });
    it("tells the old lease's chunks from the live one's in one batch", async () => {
      await task(A, { maxAttempts: 2 });
      const old = await claimOne(ONE);
      await finish(old, failure);
      await play.world.advance(60_000);
      const next = await claimOne(TWO);
      const heads = await play.world.store.appendChunks([chunk(old, 0, 0, "old"), chunk(next, 0, 0, "new")]);
      expect(heads).toEqual([{ taskId: A, fence: 2, agentId: TWO, attempt: 2, offset: 3 }]);
      expect((await see(A)).logs).toEqual({ 2: "new" });
    });
  });
}
