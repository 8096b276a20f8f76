/**
 * Brings a release's files to the machine. Everything is fetched and verified before anything is unpacked, and unpacked
 * beside before it gets its name: `releases/<name>` is whole or not there. What runs is not touched.
 */
import { fileNameOf } from "../../domain/file_name_of.ts";
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

interface FetchedFile {
  label: string;
  file: string;
  /** undefined for an archive, which is unpacked. */
  name?: string;
}

interface Parts {
  machine: Machine;
  clock: Clock;
}
interface Wanted {
  folder: AppFolder;
  operation: Operation;
  spec: RenderedSpec;
  context: RunContext;
  log: TaskLog;
}

/** The name of the release's folder. Nothing is done when it is there already. */
export async function prepareRelease(parts: Parts, wanted: Wanted): Promise<string> {
  const { machine } = parts;
  const { folder, operation, spec } = wanted;
  const artifacts = wantedArtifacts(spec);
  const made = await sha256Of({
    artifacts,
    bundle: spec.bundle,
    files: spec.files,
    os: machine.os,
    arch: machine.arch,
  });
  // The same version with other contents (its environment's overlay changed) must not overwrite what may be running.
  // What was changed by hand is not used again: files of that release may be what differs.
  const names = operation.reapply
    ? [`${operation.versionId}-${operation.generation}`]
    : [operation.versionId, `${operation.versionId}-${made.slice(0, 8)}`];
  for (const name of names) {
    const mark = await machine.files.readText(`${folder.release(name)}/${MARK}`);
    if (mark !== undefined && JSON.parse(mark).made === made) return name;
    if (mark !== undefined) continue;
    await makeRelease(parts, wanted, name, made);
    return name;
  }
  throw new Error(`two releases share the name ${names.at(-1)}`);
}

/** Unpacks beside, then renames; whatever goes wrong leaves no half of it behind to fill the disk. */
async function makeRelease(parts: Parts, wanted: Wanted, name: string, made: string): Promise<void> {
  const { machine } = parts;
  const { folder, operation, spec, context } = wanted;
  const { files } = machine;
  const fresh = `${folder.release(name)}.new`;
  await context.trusted();
  await files.remove(fresh);
  await files.remove(folder.fetch);
  await files.makeFolder(folder.fetch);
  try {
    const fetched: FetchedFile[] = [];
    for (const [label, artifact] of wantedArtifacts(spec)) {
      fetched.push(await fetchArtifact(parts, wanted, label, artifact));
    }
    if (spec.bundle) fetched.push(await fetchBlob("bundle", operation.app, spec.bundle.sha256, context));

    await context.trusted();
    await files.makeFolder(fresh);
    for (const { label, file, name } of fetched) {
      if (name !== undefined) {
        await files.copy(file, `${fresh}/${name}`, 0o755);
        continue;
      }
      const unpacked = await machine.unpack(file, fresh);
      if ("error" in unpacked) {
        throw new PmFailure("artifact.unpack", `The ${label} of ${operation.app} is refused: ${unpacked.error}.`);
      }
    }
    const missing = await placeFiles(machine, spec, fresh);
    if (missing !== undefined) {
      throw new PmFailure(
        "config.missing",
        `config.files of ${operation.app} names ${missing}, which is in no bundle.`,
      );
    }
    await files.writeText(`${fresh}/${MARK}`, JSON.stringify({ made, version: operation.version }) + "\n", 0o644);
    await files.remove(folder.release(name)); // unmarked, so a leftover
    await files.rename(fresh, folder.release(name));
  } finally {
    await files.remove(fresh);
    await files.remove(folder.fetch);
  }
}

/** Copies `config.files` to where they belong. @returns the first that is nowhere to be copied from */
export async function placeFiles(
  { files }: Pick<Machine, "files">,
  spec: Pick<RenderedSpec, "files">,
  release: string,
): Promise<string | undefined> {
  let missing: string | undefined;
  for (const { from, to, mode } of spec.files) {
    const source = insideRelease(release, from);
    if (await files.isFile(source)) {
      await files.copy(source, insideRelease(release, to), mode === undefined ? undefined : parseInt(mode, 8));
    } else missing ??= from;
  }
  return missing;
}

/** Scripts may use every artifact; a binary names its one; a container brings its own. An image is no file. */
function wantedArtifacts(spec: RenderedSpec): [string, PinnedArtifact][] {
  const { runtime } = spec;
  if (runtime.mode === "docker") return [];
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
  { machine, clock }: Parts,
  { folder, operation: { app }, context, log }: Wanted,
  label: string,
  artifact: PinnedArtifact,
): Promise<FetchedFile> {
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
  const base = fileNameOf(url);
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

export async function fetchBlob(label: string, app: string, sha256: string, context: RunContext): Promise<FetchedFile> {
  try {
    return { label, file: await context.fetchBlob(sha256) };
  } catch (error: unknown) {
    context.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new PmFailure("artifact.fetch", `The ${label} of ${app} could not be fetched: ${why}.`, { retryable: true });
  }
}
