/**
 * Brings a release's files to the machine. Everything is fetched and verified before anything is unpacked, and unpacked
 * beside before it gets its name: `releases/<name>` is whole or not there. What runs is not touched.
 */
import type { Clock } from "../../domain/ports.ts";
import type { Operation, PinnedArtifact, RenderedSpec } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { wait } from "../stopped.ts";
import { insideRelease } from "./app_folder.ts";
import type { AppFolder } from "./app_folder.ts";
import { PmFailure } from "./failure.ts";
import type { Machine } from "./machine.ts";
import { sha256Of } from "./fingerprint.ts";
import type { TaskLog } from "./task_log.ts";

const TRIES = 3;
/** Inside a release: what it was made from. */
const MARK = ".boreas.json";
const ARCHIVE = /\.(tgz|tar\.gz|tar)$/;

interface Part {
  label: string;
  file: string;
  /** undefined for an archive, which is unpacked. */
  name?: string;
}

export async function prepareRelease(
  { machine, clock }: { machine: Machine; clock: Clock },
  folder: AppFolder,
  operation: Operation,
  spec: RenderedSpec,
  context: RunContext,
  log: TaskLog,
): Promise<string> {
  const { files } = machine;
  const artifacts = wantedArtifacts(spec);
  const made = await sha256Of({
    artifacts,
    bundle: spec.bundle,
    files: spec.files,
    os: machine.os,
    arch: machine.arch,
  });
  // The same version with other contents (its environment's overlay changed) must not overwrite what may be running.
  for (const name of [operation.versionId, `${operation.versionId}-${made.slice(0, 8)}`]) {
    const mark = await files.readText(`${folder.release(name)}/${MARK}`);
    if (mark !== undefined && JSON.parse(mark).made === made) return name;
    if (mark !== undefined) continue;
    const fresh = `${folder.release(name)}.new`;
    await context.trusted();
    await files.remove(fresh);
    await files.remove(folder.fetch);
    await files.makeFolder(folder.fetch);
    const parts: Part[] = [];
    for (const [label, artifact] of artifacts) {
      parts.push(await fetchArtifact(machine, clock, folder, operation.app, label, artifact, context, log));
    }
    if (spec.bundle) parts.push(await fetchBlob("bundle", operation.app, spec.bundle.sha256, context));

    await context.trusted();
    await files.makeFolder(fresh);
    for (const { label, file, name } of parts) {
      if (name !== undefined) {
        await files.copy(file, `${fresh}/${name}`, 0o755);
        continue;
      }
      const unpacked = await machine.unpack(file, fresh);
      if ("error" in unpacked) {
        await files.remove(fresh);
        throw new PmFailure("artifact.unpack", `The ${label} of ${operation.app} is refused: ${unpacked.error}.`);
      }
    }
    for (const { from, to, mode } of spec.files) {
      const source = insideRelease(fresh, from);
      if (!await files.isFile(source)) {
        throw new PmFailure("config.missing", `config.files of ${operation.app} names ${from}, which is in no bundle.`);
      }
      await files.copy(source, insideRelease(fresh, to), mode === undefined ? undefined : parseInt(mode, 8));
    }
    await files.writeText(`${fresh}/${MARK}`, JSON.stringify({ made, version: operation.version }) + "\n", 0o644);
    await files.remove(folder.release(name)); // unmarked, so a leftover
    await files.rename(fresh, folder.release(name));
    await files.remove(folder.fetch);
    return name;
  }
  throw new Error(`two releases share the name ${operation.versionId}-${made.slice(0, 8)}`);
}

/** Scripts may use every artifact; a binary names its one. An image is no file. */
function wantedArtifacts(spec: RenderedSpec): [string, PinnedArtifact][] {
  const { runtime } = spec;
  if (runtime.mode !== "binary") return Object.entries(spec.artifacts).filter(([, { kind }]) => kind !== "image");
  const artifact = spec.artifacts[runtime.artifact];
  if (artifact === undefined || artifact.kind === "image") {
    const what = artifact ? "is an image, which runs only in a container" : "it does not have";
    throw new PmFailure(
      "artifact.missing",
      `${spec.application} runs the artifact ${runtime.artifact}, which ${what}.`,
    );
  }
  return [[runtime.artifact, artifact]];
}

async function fetchArtifact(
  machine: Machine,
  clock: Clock,
  folder: AppFolder,
  app: string,
  label: string,
  artifact: PinnedArtifact,
  context: RunContext,
  log: TaskLog,
): Promise<Part> {
  if (artifact.kind === "image") throw new PmFailure("artifact.kind", `The artifact ${label} of ${app} is an image.`);
  if (artifact.kind === "blob") return fetchBlob(`artifact ${label}`, app, artifact.sha256, context);
  const platform = `${machine.os}-${machine.arch}`;
  const sha256 = typeof artifact.sha256 === "string" ? artifact.sha256 : artifact.sha256[platform];
  if (sha256 === undefined) {
    throw new PmFailure(
      "artifact.platform",
      `The artifact ${label} of ${app} has no SHA-256 for ${platform}; add one.`,
    );
  }
  const url = artifact.url.replaceAll("${os}", machine.os).replaceAll("${arch}", machine.arch);
  // A query may hold a signature that is nobody's business.
  const shown = url.replace(/\?.*$/s, "?...");
  const base = decodeURIComponent(new URL(url).pathname.split("/").at(-1)!);
  const to = `${folder.fetch}/${sha256}`;
  for (let tries = 1;; tries++) {
    await context.trusted();
    const fetched = await machine.download({ url, to, sha256, signal: context.signal });
    if (fetched.ok) {
      await log.say(`Fetched ${shown} (${fetched.bytes} bytes, SHA-256 as declared).`);
      if (ARCHIVE.test(base)) return { label: `artifact ${label}`, file: to };
      // deno-lint-ignore no-control-regex
      if (!/^[^/\x00-\x1f]+$/.test(base) || base === "." || base === "..") {
        throw new PmFailure("artifact.name", `The address of the artifact ${label} of ${app} ends in no file name.`);
      }
      return { label: `artifact ${label}`, file: to, name: base };
    }
    const error = fetched.error.replaceAll(url, shown);
    if (!fetched.retryable || tries === TRIES) {
      const code = fetched.wrongSha256 ? "artifact.sha256" : "artifact.fetch";
      throw new PmFailure(code, `The artifact ${label} of ${app} is refused: ${error}.`, {
        retryable: fetched.retryable,
      });
    }
    await log.say(`${error}; trying again in ${2 ** tries / 2} s.`);
    await wait(clock, 2 ** tries * 500, context.signal);
    context.signal.throwIfAborted();
  }
}

async function fetchBlob(label: string, app: string, sha256: string, context: RunContext): Promise<Part> {
  try {
    return { label, file: await context.fetchBlob(sha256) };
  } catch (error: unknown) {
    context.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new PmFailure("artifact.fetch", `The ${label} of ${app} could not be fetched: ${why}.`, { retryable: true });
  }
}
