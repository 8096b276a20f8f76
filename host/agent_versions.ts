/**
 * Where the install line puts the agent: `/opt/boreas/agent/<version>/` beside each other, `current` names the one that
 * runs, and runtimes lie in `/opt/boreas/runtime/<hash>/`. A folder is there under its name only when it is whole.
 */
import { createHash } from "node:crypto";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { isMissing, pointLinkDurably, syncFolder } from "./durable_files.ts";
import { openRequest, requestOnce } from "./http_request.ts";
import type { MasterAddress } from "./master_socket.ts";
import { runShortly } from "./process_run.ts";

interface ReleaseFile {
  name: string;
  sha256: string;
  size: number;
}

/** What starts a version: a small program in its folder that knows its runtime and the rights it is given. */
export const LAUNCHER = "boreas-agent";
export const BUNDLE = "boreas-agent.js";
const TEST_MS = 60_000;
const VERSION_FOLDER = /^\d+\.\d+\.\d+/;

/** The folder of versions that this process was started from; undefined when it runs from anywhere else. */
export async function findVersions(mainModule: string): Promise<{ root: string; version: string } | undefined> {
  if (!mainModule.startsWith("file://")) return undefined;
  try {
    const folder = parentOf(await Deno.realPath(decodeURIComponent(new URL(mainModule).pathname)));
    const root = parentOf(folder);
    const link = await Deno.lstat(`${root}/current`);
    await Deno.stat(`${folder}/${LAUNCHER}`);
    return link.isSymlink ? { root, version: folder.slice(root.length + 1) } : undefined;
  } catch (error: unknown) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export interface VersionsOptions {
  root: string;
  address: MasterAddress;
  /** What a version is given for its test. */
  env: Readonly<Record<string, string>>;
  os: string;
  arch: string;
}

/** Of a version's folder; the runtime lies apart, for versions share it. */
const FILES = [{ name: LAUNCHER, mode: 0o755 }, { name: BUNDLE, mode: 0o644 }];

export function createAgentVersions({ root, address, env, os, arch }: VersionsOptions) {
  const folderOf = (version: string) => `${root}/${version}`;
  const runtimes = `${parentOf(root)}/runtime`;

  async function fetchFile(file: ReleaseFile, to: string, mode: number, signal: AbortSignal): Promise<void> {
    const answer = await openRequest(address, { path: `/api/v1/install/${file.name}.gz` });
    const stop = () => answer.destroy(new Error("given up"));
    signal.addEventListener("abort", stop);
    try {
      signal.throwIfAborted();
      if (answer.statusCode !== 200) throw new Error(`The master answered ${answer.statusCode} for ${file.name}.`);
      const digest = createHash("sha256");
      using target = await Deno.open(to, { write: true, createNew: true, mode });
      let size = 0;
      // A plain pipe would wait for ever for the rest of an answer that was cut off.
      for await (const part of pipeline(answer, createGunzip(), () => {})) {
        const bytes = part as Uint8Array;
        size += bytes.length;
        if (size > file.size) throw new Error(`${file.name} is larger than the manifest says; nothing of it was used.`);
        digest.update(bytes);
        for (let at = 0; at < bytes.length;) at += await target.write(bytes.subarray(at));
      }
      await target.sync();
      if (digest.digest("hex") !== file.sha256) {
        throw new Error(`${file.name} does not have the SHA-256 of the manifest; nothing of it was used.`);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      answer.destroy();
    }
  }

  /** @returns where it lies; fetched only when this machine does not have it, for it is by far the largest */
  async function fetchRuntime(file: ReleaseFile, signal: AbortSignal): Promise<string> {
    const folder = `${runtimes}/${file.sha256.slice(0, 16)}`;
    if (await hashOf(`${folder}/deno`) === file.sha256) return `${folder}/deno`;
    await remove(`${folder}.new`);
    await Deno.mkdir(`${folder}.new`, { recursive: true, mode: 0o755 });
    await fetchFile(file, `${folder}.new/deno`, 0o755, signal);
    await syncFolder(`${folder}.new`);
    await remove(folder);
    await Deno.rename(`${folder}.new`, folder);
    await syncFolder(runtimes);
    return `${folder}/deno`;
  }

  return {
    async fetchManifest(signal: AbortSignal): Promise<unknown> {
      const { status, text } = await requestOnce(address, { path: "/api/v1/install/manifest" });
      signal.throwIfAborted();
      if (status !== 200) throw new Error(`The master answered ${status} for the manifest of its release.`);
      return JSON.parse(text);
    },
    async fetchRelease(manifest: { version: string; files: ReleaseFile[] }, signal: AbortSignal): Promise<void> {
      const wanted = (name: string) => {
        const file = manifest.files.find((one) => one.name === name);
        if (!file) {
          throw new Error(`The master has no ${name}; whoever runs it uploads one, once: boreas runtime upload.`);
        }
        return file;
      };
      const [folder, fresh] = [folderOf(manifest.version), `${folderOf(manifest.version)}.new`];
      await remove(fresh);
      await Deno.mkdir(fresh, { mode: 0o755 });
      for (const { name, mode } of FILES) await fetchFile(wanted(name), `${fresh}/${name}`, mode, signal);
      await Deno.symlink(await fetchRuntime(wanted(`deno-${os}-${arch}`), signal), `${fresh}/deno`);
      await syncFolder(fresh);
      await remove(folder); // of an earlier try: what is fetched now is what was signed
      await Deno.rename(fresh, folder);
      await syncFolder(root);
    },
    async testRelease(version: string, signal: AbortSignal): Promise<string | undefined> {
      const { code, output } = await runShortly({
        command: [`${folderOf(version)}/${LAUNCHER}`, "doctor", "--json"],
        cwd: root,
        env,
        timeoutMs: TEST_MS,
      });
      signal.throwIfAborted();
      if (code === 0) return undefined;
      return code === null ? `its self-test did not end within ${TEST_MS / 1000} s.` : sayFailures(output);
    },
    switchTo: (version: string): Promise<void> => pointLinkDurably(`${root}/current`, version),
    async keepOnly(versions: readonly string[]): Promise<void> {
      for await (const { name } of Deno.readDir(root)) {
        if (VERSION_FOLDER.test(name) && !versions.includes(name)) await remove(`${root}/${name}`);
      }
      const used = await Promise.all(
        versions.map((version) => unlessMissing(Deno.realPath(`${folderOf(version)}/deno`))),
      );
      for await (const { name } of Deno.readDir(runtimes)) {
        if (!used.includes(await unlessMissing(Deno.realPath(`${runtimes}/${name}/deno`)))) {
          await remove(`${runtimes}/${name}`);
        }
      }
    },
  };
}

async function hashOf(path: string): Promise<string | undefined> {
  try {
    const digest = createHash("sha256");
    using source = await Deno.open(path);
    for await (const part of source.readable) digest.update(part);
    return digest.digest("hex");
  } catch (error: unknown) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error: unknown) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What `doctor --json` found missing; else its last words. */
function sayFailures(output: string): string {
  const json = output.slice(output.indexOf("{"));
  try {
    const { checks } = JSON.parse(json) as { checks: { status: string; detail: string }[] };
    const failed = checks.filter((check) => check.status === "fail").map((check) => check.detail);
    if (failed.length > 0) return failed.join(" ");
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  return `its self-test failed: ${output.split("\n").filter(Boolean).at(-1) ?? "without a word"}`;
}

const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error: unknown) {
    if (!isMissing(error)) throw error;
  }
}
