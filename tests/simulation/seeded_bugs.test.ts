/** A simulation is worth what it finds: each protection is taken away once, and the checker must miss it. */
import { afterEach, expect, it, vi } from "vitest";

const SEEDS = 300;
const SEEDED = [
  { without: "the fence check", off: { fence: false }, breaks: /^(I1|I2|I3|I5|I6)|accepted twice|that nobody had/ },
  { without: "the restart grace", off: { grace: false }, breaks: /^F4/ },
  { without: "the outbox on disk", off: { outbox: false }, breaks: /^F6/ },
];

afterEach(() => {
  vi.doUnmock("../../domain/lease_trust.ts");
  vi.resetModules();
});

/** A simulation of its own, so that what was replaced in one is whole in the next. */
const load = () => import("./run_seeds.ts");

it.each(SEEDED)("misses $without within 300 seeds", async ({ without, off, breaks }) => {
  const { count, broken } = await (await load()).runSeeds(1, SEEDS, off);
  expect(broken, `${without} is not missed in ${SEEDS} seeds`).toBeDefined();
  console.log(`without ${without}: seed ${count} of ${SEEDS} breaks: ${broken!.violations[0]}`);
  expect(broken!.violations).toContainEqual(expect.stringMatching(breaks)); // one break has several faces
}, 600_000);

it("misses the trust window, when an agent believes in its lease for ever, within 300 seeds", async () => {
  vi.doMock("../../domain/lease_trust.ts", async (original) => ({
    ...await original<typeof import("../../domain/lease_trust.ts")>(),
    trustUntil: () => Infinity,
  }));
  const { count, broken } = await (await load()).runSeeds(1, SEEDS);
  expect(broken, `the trust window is not missed in ${SEEDS} seeds`).toBeDefined();
  console.log(`without the trust window: seed ${count} of ${SEEDS} breaks: ${broken!.violations[0]}`);
  expect(broken!.violations[0]).toMatch(/^I3/);
}, 600_000);

it("breaks nothing when nothing is taken away", async () => {
  expect((await (await load()).runSeeds(1, 20)).broken).toBeUndefined();
}, 120_000);
