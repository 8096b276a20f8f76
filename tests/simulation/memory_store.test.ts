import { describeStore } from "./store_suite.ts";
import { createMemoryWorld } from "./memory_world.ts";

describeStore("the twin in memory", () => Promise.resolve(createMemoryWorld()));
