/**
 * What a test needs beside the product and a machine may lack. A test that needs one runs where it is there and is
 * skipped with the reason where it is not; `BOREAS_TEST_REQUIRE=redis,docker` turns such a skip into a failure.
 *
 *   const redis = component("redis");
 *   describe.skipIf(!redis.available)(`with a Redis server${redis.reason}`, () => { ... });
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

export interface Component {
  available: boolean;
  /** Empty when it is there, else ` [needs ...]`: part of a skipped test's name, and so of the run's last lines. */
  reason: string;
}

const CHECKS = {
  redis: () => missing(findProgram("redis-server"), "redis-server"),
  docker: () => {
    const host = process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
    const engine = !host.startsWith("unix://") || isThere(host.slice("unix://".length));
    return missing(findProgram("docker"), "the docker command") ?? missing(engine, `a container engine at ${host}`);
  },
  chromium: () => missing(findChromium(), "chromium"),
  registry: () => missing(findProgram("docker-registry"), "docker-registry"),
  postgres15: () => missing(isThere("/usr/lib/postgresql/15/bin/postgres"), "PostgreSQL 15 as Debian packages it"),
  pgbouncer: () => missing(findProgram("pgbouncer"), "pgbouncer"),
  faketime: () => missing(findFaketime(), "libfaketime, as Debian packages it"),
  prometheus: () => missing(findProgram("prometheus"), "prometheus"),
  fish: () => missing(findProgram("fish"), "fish"),
  zsh: () => missing(findProgram("zsh"), "zsh"),
  shellcheck: () => missing(findProgram("shellcheck"), "shellcheck"),
  netns: () =>
    missing(process.getuid?.() === 0, "root, to make network namespaces") ??
      missing(findProgram("ip"), "the ip command") ?? missing(findProgram("nft"), "the nft command"),
};
export type ComponentName = keyof typeof CHECKS;

/** @throws Error when the run requires it and it is not there */
export function component(name: ComponentName): Component {
  const lacks = CHECKS[name]();
  if (!lacks) return { available: true, reason: "" };
  const required = (process.env["BOREAS_TEST_REQUIRE"] ?? "").split(",").map((one) => one.trim());
  if (required.includes(name)) throw new Error(`BOREAS_TEST_REQUIRE names ${name}, but this machine lacks ${lacks}.`);
  return { available: false, reason: ` [needs ${lacks}]` };
}

export function findChromium(): string | undefined {
  return process.env["BOREAS_TEST_CHROMIUM"] ??
    ["chromium", "chromium-browser", "google-chrome"].map(findProgram).find(Boolean);
}

/** The library that a process with a clock of its own is started with. */
export function findFaketime(): string | undefined {
  const folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((machine) => `/usr/lib/${machine}/faketime`);
  return folders.map((folder) => join(folder, "libfaketime.so.1")).find(isThere);
}

/** Full path of a program, as the shell would find it. */
export function findProgram(name: string): string | undefined {
  return (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch (error: unknown) {
      if (["ENOENT", "ENOTDIR", "EACCES"].includes((error as { code?: string }).code ?? "")) return false;
      throw error;
    }
  });
}

const missing = (found: unknown, what: string) => (found ? undefined : what);

function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error: unknown) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes((error as { code?: string }).code ?? "")) return false;
    throw error;
  }
}
