import { defineConfig } from "vitest/config";

const browser = "tests/browser/**/*.test.ts";

// vitest reads neither deno.json's JSX settings nor its import map; npm names resolve through node_modules.
export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: {
    pool: "forks", // worker threads die in teardown under Deno
    // A browser takes every network interface that comes or goes, as those of containers do, for a move to another
    // network, and breaks off what it loads. So its tests run when those that make interfaces have ended.
    projects: [
      { extends: true, test: { name: "parts", include: ["**/*.test.ts", "**/*.test.tsx", `!${browser}`] } },
      { extends: true, test: { name: "browser", include: [browser], sequence: { groupOrder: 1 } } },
    ],
    exclude: ["node_modules/**", ".build/**", ".boreas/**"],
    // Much of the time goes by in waiting for processes; even two cores carry two files at once.
    maxWorkers: Math.max(2, navigator.hardwareConcurrency - 1),
    testTimeout: 180_000, // a real process on a loaded machine; who waits for something sets a nearer bound
    hookTimeout: 180_000,
    // Who waits looks often, and gives a loaded machine time: the usual second is too short for a program to start.
    expect: { poll: { interval: 20, timeout: 60_000 } },
    // A run that must not fail because a machine was slow looks once more at what did not come in time, and its summary
    // names that. A wrong value, a broken invariant or an error that nobody expected gets no second chance.
    retry: Deno.env.get("BOREAS_TEST_PATIENCE") === "1"
      ? { count: 1, condition: /did not come about within|timed out in \d+ms/ }
      : 0,
    globalSetup: ["tests/helpers/global_setup.ts"],
  },
});
