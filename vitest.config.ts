import { defineConfig } from "vitest/config";

// vitest reads neither deno.json's JSX settings nor its import map; npm names resolve through node_modules.
export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: {
    pool: "forks", // worker threads die in teardown under Deno
    include: ["**/*.test.ts", "**/*.test.tsx"],
    exclude: ["node_modules/**", ".build/**", ".boreas/**"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    globalSetup: ["tests/helpers/global_setup.ts"],
  },
});
