/** What may happen in a game on one deployment, drawn by chance: acts of agents, people and timers. */
import fc from "./fast_check.ts";

export type Luck = "good" | "mixed" | "bad";
/** Acts that decide about a task that failed, and what they are called there. */
export const CHOICES = { fail: "fail", again: "retry", ignore: "ignore", exclude: "exclude" } as const;
export type Answer = keyof typeof CHOICES | "unanswered";

export const Step = fc.record({
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("claim", "claim", "success", "success", "failed", "accept") },
    { weight: 2, arbitrary: fc.constantFrom("cancelled", "lost", "lost", "late", "timer") },
    { weight: 1, arbitrary: fc.constantFrom("bad") },
    { weight: 1, arbitrary: fc.constantFrom("unanswered", "overdue", "stuck") },
    { weight: 4, arbitrary: fc.constantFrom("passes", "passes", "misses", "approve", "approve", "reject") },
    { weight: 2, arbitrary: fc.constantFrom("fail", "again", "ignore", "ignore", "exclude", "exclude") },
    { weight: 2, arbitrary: fc.constantFrom("skip", "skip", "skipAll", "promote", "batch", "batch") },
    { weight: 2, arbitrary: fc.constantFrom("pause", "resume", "cancel", "rollback") },
    { weight: 2, arbitrary: fc.constantFrom("retry", "retryTask", "cancelTask", "cancelTask") },
  ),
  which: fc.nat(20),
});
/** What comes up while the work goes on: mostly what only makes sense in the middle of it. */
export const Wish: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(
    ...[
      "skip",
      "skip",
      "skipAll",
      "promote",
      "promote",
      "batch",
      "batch",
      "batch",
      "cancelTask",
      "cancelTask",
    ] as const,
    ...["retryTask", "retry", "pause", "fail", "again", "exclude", "unanswered", "rollback", "overdue", "bad"] as const,
  ),
  which: fc.nat(20),
});
export type Step = typeof Step extends fc.Arbitrary<infer T> ? T : never;
