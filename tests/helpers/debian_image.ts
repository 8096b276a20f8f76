/**
 * A Debian system as an image of the container engine, where no registry of images can be reached: debootstrap makes it
 * once per engine, under a name that changes with what is in it. Several that want the same wait for the first of them.
 *
 *   in the engine? -no-> an archive of it in BOREAS_TEST_CACHE? -no-> debootstrap -> archive -> import
 *
 * Takes about a minute, or seconds from an archive. A crash leaves folders in the system's temporary folder.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker, run, UNSYNCED } from "./docker.ts";

export interface DebianImage {
  /** Of the image; its tag is made from the rest. */
  name: string;
  packages: string[];
  /** Puts into the system, whose folder it is given, what is not a package. */
  finish(system: string): Promise<void>;
  /** What `finish` depends on, such as the version of a program that it copies. */
  depends: string[];
  /** Paths of the system that the image does without. */
  without: string[];
  /** Lines of a Dockerfile, as `docker import` takes them. */
  changes?: string[];
}

export const imageName = (image: DebianImage) => {
  const { name, packages, depends, without, changes = [] } = image;
  const content = JSON.stringify([packages, depends, without, changes]);
  return `${name}:${createHash("sha256").update(content).digest("hex").slice(0, 12)}`;
};

/** @returns its name and tag */
export async function makeDebianImage(image: DebianImage): Promise<string> {
  const made = imageName(image);
  using lock = await Deno.open(join(tmpdir(), `${image.name}.lock`), { create: true, write: true });
  await lock.lock(true);
  if ((await docker(["image", "ls", "--quiet", made])).trim() !== "") return made;
  const load = (archive: string) =>
    docker(["import", ...(image.changes ?? []).flatMap((line) => ["--change", line]), archive, made]);
  const cache = Deno.env.get("BOREAS_TEST_CACHE");
  const kept = cache && join(cache, `${made.replace(":", "-")}.tar`);
  if (kept && await exists(kept)) {
    await load(kept);
    return made;
  }
  const folder = await mkdtemp(join(tmpdir(), `${image.name}-`));
  try {
    const system = join(folder, "root");
    const include = `--include=${image.packages.join()}`;
    await run("debootstrap", ["--variant=minbase", include, "bookworm", system], { env: UNSYNCED });
    await image.finish(system);
    const archive = join(folder, "root.tar");
    await run("tar", ["-C", system, ...image.without.map((path) => `--exclude=./${path}`), "-cf", archive, "."]);
    await load(archive);
    if (kept) {
      // The image is there, and that is what was asked for: a full disk or a closed folder costs the next run a minute.
      await keep(archive, cache, image.name, kept).catch((error: unknown) =>
        console.warn(`${made} is not kept:`, error)
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return made;
}

/** Whole or not at all: the last step is a rename. One of each kind is kept. */
async function keep(archive: string, cache: string, name: string, kept: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  for (const old of await readdir(cache)) {
    if (old.startsWith(`${name}-`)) await rm(join(cache, old), { force: true });
  }
  const half = `${kept}.${crypto.randomUUID()}`;
  try {
    await copyFile(archive, half);
    await rename(half, kept);
  } finally {
    await rm(half, { force: true });
  }
}

const exists = (path: string) =>
  stat(path).then(() => true, (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return false;
  });
