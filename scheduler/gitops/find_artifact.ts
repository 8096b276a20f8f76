/** Looks for one late artifact: there and pinned, or not there yet, or trouble with a sentence. */
import { createHash } from "node:crypto";
import { fileNameOf } from "../../domain/file_name_of.ts";
import type { LateArtifact } from "../../protocol/config/artifacts.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { GitopsDeps } from "./deps.ts";
import { callOut, OutgoingError, readText } from "./outgoing_http.ts";
import { findDigest } from "./registry.ts";
import type { ReadLogin } from "./registry.ts";

type Deps = Pick<GitopsDeps, "fetch" | "checkOutgoing" | "clock">;
/** Of a url with `${os}` and `${arch}`: those that are there get pinned, one is enough. */
const PLATFORMS = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];
const MAX_HASHED_BYTES = 2 * 1024 ** 3;
const HASHING_MS = 10 * 60_000;

export async function findArtifact(
  deps: Deps,
  late: LateArtifact,
  readLogin: ReadLogin,
): Promise<PinnedArtifact | undefined> {
  if (late.kind === "image") {
    const digest = await findDigest(deps, late.ref, late.tag, readLogin);
    return digest === undefined ? undefined : { kind: "image", ref: late.ref, digest };
  }
  if (!/\$\{(os|arch)\}/.test(late.url)) {
    const given = typeof late.sha256 === "object" ? Object.values(late.sha256)[0] : late.sha256;
    const sha256 = await findUrl(deps, late.url, given, late.sha256Url);
    return sha256 === undefined ? undefined : { kind: "url", url: late.url, sha256: late.sha256 ?? sha256 };
  }
  return await findPlatforms(deps, late);
}

async function findPlatforms(deps: Deps, late: LateArtifact & { kind: "url" }): Promise<PinnedArtifact | undefined> {
  const declared = typeof late.sha256 === "object" ? late.sha256 : undefined;
  const platforms = declared ? Object.keys(declared) : PLATFORMS;
  const pinned: Record<string, string> = {};
  for (const platform of platforms) {
    const [os, arch] = platform.split("-");
    const fill = (text: string) => text.replaceAll("${os}", os!).replaceAll("${arch}", arch!);
    const given = declared?.[platform] ?? (typeof late.sha256 === "string" ? late.sha256 : undefined);
    const sha256 = await findUrl(deps, fill(late.url), given, late.sha256Url && fill(late.sha256Url), !declared);
    if (sha256 !== undefined) pinned[platform] = sha256;
    else if (declared) return undefined; // every platform that the file names must be there
  }
  return Object.keys(pinned).length === 0 ? undefined : { kind: "url", url: late.url, sha256: pinned };
}

/** @returns its sha256; undefined while it, or its digest, is not there */
async function findUrl(
  deps: Deps,
  url: string,
  sha256: string | undefined,
  sha256Url: string | undefined,
  guessed = false,
): Promise<string | undefined> {
  if (sha256 !== undefined) return await isThere(deps, url) ? sha256 : undefined;
  if (sha256Url !== undefined) {
    const listed = await readDigest(deps, sha256Url, url, guessed);
    return listed !== undefined && await isThere(deps, url) ? listed : undefined;
  }
  return await hashUrl(deps, url);
}

async function isThere(deps: Deps, url: string): Promise<boolean> {
  const status = await callOut(deps, url, { method: "HEAD" }, async (response) => {
    await response.body?.cancel();
    return response.status;
  });
  return found(status);
}

function found(status: number): boolean {
  if (status >= 200 && status < 300) return true;
  if (status === 404 || status === 410) return false;
  throw new OutgoingError(`it answers ${status}`);
}

/** A bare digest, or lines of `digest  name` as sha256sum writes them. */
async function readDigest(deps: Deps, sha256Url: string, url: string, guessed: boolean): Promise<string | undefined> {
  const text = await callOut(deps, sha256Url, {}, async (response) => {
    if (found(response.status)) return await readText(response, 1024 * 1024);
    await response.body?.cancel();
    return undefined;
  });
  if (text === undefined) return undefined;
  const name = fileNameOf(url);
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const match = /^([0-9a-fA-F]{64})(?:\s+[*]?(?:.*\/)?(\S+))?\s*$/.exec(line);
    return match ? [{ sha256: match[1]!.toLowerCase(), name: match[2] }] : [];
  });
  const line = lines.find((l) => l.name === name) ??
    (lines.length === 1 && lines[0]!.name === undefined ? lines[0] : undefined);
  // A list that names other files, and not this one of a platform that nobody asked for by name.
  if (line === undefined && guessed && lines.length > 0) return undefined;
  if (line === undefined) throw new OutgoingError(`${sha256Url} lists no SHA-256 of ${name}`);
  return line.sha256;
}

async function hashUrl(deps: Deps, url: string): Promise<string | undefined> {
  return await callOut(deps, url, { timeoutMs: HASHING_MS }, async (response) => {
    if (!found(response.status)) {
      await response.body?.cancel();
      return undefined;
    }
    const hash = createHash("sha256");
    let size = 0;
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > MAX_HASHED_BYTES) throw new OutgoingError(`it is larger than ${MAX_HASHED_BYTES} bytes`);
      hash.update(part);
    }
    return hash.digest("hex");
  });
}
