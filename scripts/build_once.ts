/**
 * Builds something when its sources changed, else leaves it: `.build/NAME.sources` holds the hash of what it was built
 * from. The hash goes first and comes last, so an interrupted build is never taken for a finished one.
 */
import { createHash } from "node:crypto";
import { dirname, join, relative } from "node:path";

export const root = join(import.meta.dirname!, "..");

export interface Build {
  name: string;
  /** Files and folders, relative to the project, that decide over the result. */
  sources: string[];
  /** What the build leaves behind; missing means build. */
  output: string;
  run(): Promise<void>;
}

/** @returns whether anything had to be built */
export async function buildOnce(build: Build, say: (sentence: string) => void): Promise<boolean> {
  const folder = join(root, ".build");
  await Deno.mkdir(folder, { recursive: true });
  using lock = await Deno.open(join(folder, `${build.name}.lock`), { create: true, write: true });
  await lock.lock(true); // two starts at once: the second finds the work done
  const stamp = join(folder, `${build.name}.sources`);
  const wanted = await hashSources(build.sources);
  if (await readText(stamp) === wanted && await exists(join(root, build.output))) return false;
  say(`Building ${build.name} (once for these sources)`);
  const startedAt = performance.now();
  await Deno.remove(stamp).catch(ignoreMissing);
  await build.run();
  await Deno.writeTextFile(stamp, wanted);
  say(`Built ${build.name} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return true;
}

/** `vite` -> `npm:vite@8.3.8`: the version of deno.json, which the lock file holds. */
export function pinned(name: string): string {
  const { imports } = JSON.parse(Deno.readTextFileSync(join(root, "deno.json"))) as { imports: Record<string, string> };
  return imports[name]!;
}

/** PATH on which the children of this process find the same Deno, wherever it was installed. */
export const pathWithDeno = () => `${dirname(Deno.execPath())}:${Deno.env.get("PATH") ?? ""}`;

/** Runs a tool of this project; its words are shown only when it fails. */
export async function runTool(args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", 'exec deno "$@"', "deno", ...args],
    cwd: root,
    stdin: "null",
    env: { PATH: pathWithDeno() },
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(`deno ${args.join(" ")} failed:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}

async function hashSources(sources: string[]): Promise<string> {
  const files = (await Promise.all(sources.map((path) => filesBelow(join(root, path))))).flat().sort();
  const hash = createHash("sha256");
  for (const file of files) {
    const bytes = await Deno.readFile(file);
    hash.update(`${relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

async function filesBelow(path: string): Promise<string[]> {
  const info = await Deno.stat(path);
  if (info.isFile) return [path];
  const files: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    if (/\.test\.tsx?$/.test(entry.name) || entry.name.startsWith(".")) continue;
    files.push(...await filesBelow(join(path, entry.name)));
  }
  return files;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error: unknown) {
    ignoreMissing(error);
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error: unknown) {
    ignoreMissing(error);
    return false;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
