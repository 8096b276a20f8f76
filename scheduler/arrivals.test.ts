import { describe, expect, it } from "vitest";
import type { Arrival } from "../db/agents/connect_agent.ts";
import { CLOSE } from "../protocol/agent_messages.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createArrivals } from "./arrivals.ts";
import type { Answer } from "./arrivals.ts";
import type { CoreDeps } from "./deps.ts";

const arrivalOf = (agentId: string, more: Partial<Arrival> = {}): Arrival => ({
  agentId,
  sessionId: `session of ${agentId}`,
  slots: 1,
  facts: {},
  versions: {},
  resumes: [],
  ...more,
});

function setUp(holdsWork = (_agentId: string) => false) {
  const clock = createVirtualClock();
  const together: { at: number; ids: string[] }[] = [];
  const alone: string[] = [];
  const store = {
    async connectIdle(arrivals: readonly Arrival[]) {
      together.push({ at: clock.monotonic(), ids: arrivals.map((a) => a.agentId) });
      if (arrivals.some((a) => a.agentId === "poison")) throw new Error("one of them is odd");
      return arrivals.filter((a) => !holdsWork(a.agentId)).map(({ agentId }) => ({
        agentId,
        name: agentId,
        cordoned: false,
      }));
    },
    async connectAgent({ agentId }: Arrival) {
      alone.push(agentId);
      return agentId === "revoked" ? undefined : { verdicts: [], name: agentId, cordoned: true };
    },
  };
  const deps = { store, clock, leaseSeconds: 30, chance: () => 0.5 } as unknown as CoreDeps;
  return { clock, together, alone, arrive: createArrivals(deps) };
}
const nameOf = (answer: Answer) => "refused" in answer ? answer.refused.code : answer.name;

describe("arrivals", () => {
  it("let one that comes alone in at once", async () => {
    const { clock, arrive, together } = setUp();
    expect(await arrive(arrivalOf("a"))).toEqual({ verdicts: [], name: "a", cordoned: false });
    expect(together).toEqual([{ at: 0, ids: ["a"] }]);
    expect(clock.waiting).toBe(0);
  });

  it("let a crowd in step by step, at most a thousand in a second", async () => {
    const { clock, arrive, together } = setUp();
    const answers = Array.from({ length: 500 }, (_, i) => arrive(arrivalOf(`agent-${i}`)));
    await clock.advance(60_000);
    expect((await Promise.all(answers)).map(nameOf)).toEqual(Array.from({ length: 500 }, (_, i) => `agent-${i}`));
    const busiest = Math.max(
      ...together.map(({ at }) =>
        together.filter((s) => s.at >= at && s.at < at + 100).reduce((n, s) => n + s.ids.length, 0)
      ),
    );
    expect(busiest).toBeLessThanOrEqual(101);
    expect(together.length).toBeLessThanOrEqual(12);
    expect(clock.waiting).toBe(0);
  });

  it("send those that hold something the whole way, and those that say so", async () => {
    const { arrive, alone } = setUp((id) => id === "busy");
    expect(await arrive(arrivalOf("busy"))).toMatchObject({ name: "busy", cordoned: true });
    const resumes = [{ taskId: "t", fence: 1, state: "running" as const }];
    expect(await arrive(arrivalOf("resuming", { resumes }))).toMatchObject({ name: "resuming" });
    expect(alone).toEqual(["busy", "resuming"]);
    expect(nameOf(await setUp((id) => id === "revoked").arrive(arrivalOf("revoked")))).toBe(CLOSE.revoked);
  });

  it("let the newer of two connections of an agent in last", async () => {
    const { clock, arrive, together, alone } = setUp();
    const before = arrive(arrivalOf("other"));
    const both = [arrive(arrivalOf("twice")), arrive(arrivalOf("twice", { sessionId: "newer" }))];
    await clock.advance(1000);
    await Promise.all([before, ...both]);
    expect(together.flatMap((s) => s.ids)).toEqual(["other", "twice"]);
    expect(alone).toEqual(["twice"]);
  });

  it("try each by itself when something is wrong with one", async () => {
    const { clock, arrive, alone } = setUp();
    const first = arrive(arrivalOf("first"));
    const rest = ["good", "poison"].map((id) => arrive(arrivalOf(id)));
    await clock.advance(1000);
    expect((await Promise.all([first, ...rest])).map(nameOf)).toEqual(["first", "good", "poison"]);
    expect(alone).toEqual(["good", "poison"]);
    await expect(arrive(arrivalOf("poison"))).rejects.toThrow("odd");
  });

  it("tell those who would wait too long to come again", async () => {
    const { clock, arrive } = setUp();
    const answers = Array.from({ length: 5100 }, (_, i) => arrive(arrivalOf(`agent-${i}`)));
    await clock.advance(60_000);
    const refused = (await Promise.all(answers)).filter((a) => "refused" in a);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused.map(nameOf))).toEqual(new Set([CLOSE.tryLater]));
  });
});
