/** Builds the dashboard into `.build/web`; `deno task dev` serves it on 3000 in front of a running master. */
import { resolve } from "node:path";
import { defineConfig } from "vite";
import preact from "@preact/preset-vite";

const master = "http://127.0.0.1:8080";

export default defineConfig(({ command }) => {
  // By what is done, not by the environment: a build from within a test must be the one that is shipped.
  const isDev = command === "serve";
  return {
    root: import.meta.dirname!,
    plugins: [preact({ prefreshEnabled: isDev, devToolsEnabled: isDev })],
    oxc: { jsx: { runtime: "automatic", importSource: "preact", development: isDev } },
    build: {
      outDir: resolve(import.meta.dirname!, "../.build/web"),
      emptyOutDir: true,
      // The page's policy is `default-src 'self'`: nothing may be inlined as a data: address or an inline script.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      target: "es2023",
      chunkSizeWarningLimit: 2000,
    },
    worker: { format: "es" },
    server: { port: 3000, strictPort: true, proxy: { "/api": master, "/openapi.json": master, "/docs": master } },
  };
});
