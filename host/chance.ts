import type { Chance } from "../domain/ports.ts";

/** Good enough for jitter; keys and tokens come from `crypto`. */
export const chance: Chance = () => Math.random();
