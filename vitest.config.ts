import { defineConfig } from "vitest/config";

// vitest reads neither deno.json's JSX settings nor its import map; npm names resolve through node_modules.
export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: {
    pool: "forks", // worker threads die in teardown under Deno
    include: ["**/*.test.ts", "**/*.test.tsx"],
    exclude: ["node_modules/**", ".build/**", ".boreas/**"],
    // Much of the time goes by in waiting for processes; even two cores carry two files at once.
    maxWorkers: Math.max(2, navigator.hardwareConcurrency - 1),
    testTimeout: 180_000, // a real process on a loaded machine; who waits for something sets a nearer bound
    hookTimeout: 180_000,
    globalSetup: ["tests/helpers/global_setup.ts"],
  },
});
