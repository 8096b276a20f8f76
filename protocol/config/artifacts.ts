/** Where an application's artifacts come from, and which of them are still waited for. Pure. */
import { AppError } from "../../domain/app_error.ts";
import { parseDuration } from "../../domain/duration.ts";
import type { AppBuild } from "../api/catalog.ts";
import type { PinnedArtifact } from "../operation.ts";
import type { ApplicationConfig, Artifact } from "./application.ts";

/** What is looked for until it is there. `what` is said to people. */
export type LateArtifact =
  & { name: string; what: string; waitSeconds: number }
  & (
    | { kind: "image"; ref: string; tag: string }
    /** Without a digest or an address of one, the artifact itself is fetched once and hashed. */
    | { kind: "url"; url: string; sha256?: string | Record<string, string>; sha256Url?: string }
  );
export interface SortedArtifacts {
  /** Known by content already. */
  pinned: Record<string, PinnedArtifact>;
  late: LateArtifact[];
  /** Files of the repository at the commit. */
  local: { name: string; path: string }[];
}
const DEFAULT_WAIT_SECONDS = 30 * 60;
const DIGEST = /@(sha256:[0-9a-f]{64})$/;

export interface ArtifactContext {
  application: string;
  version: string;
  commit: string | null;
  /** CI's word; it stands above the document's. */
  build?: Partial<AppBuild>;
}

/**
 * @param config `used`: what its runtimes run, by name; other names that CI gives are noted and not waited for, because
 *   nothing would ever run them
 * @throws AppError invalid when CI's word fits no artifact
 */
export function sortArtifacts(
  config: Pick<ApplicationConfig, "artifacts"> & { used?: readonly string[] },
  context: ArtifactContext,
): SortedArtifacts {
  const fill = (text: string) =>
    text.replaceAll("${version}", context.version).replaceAll("${commit}", context.commit ?? "");
  const declared = config.artifacts ?? {};
  const artifacts: Record<string, Artifact> = { ...declared, ...fromBuild(declared, config.used ?? [], context) };
  const isWanted = (name: string) => Object.hasOwn(declared, name) || (config.used ?? []).includes(name);
  const sorted: SortedArtifacts = { pinned: {}, late: [], local: [] };
  for (const [name, artifact] of Object.entries(artifacts)) {
    if ("path" in artifact) sorted.local.push({ name, path: artifact.path });
    else if ("ref" in artifact) {
      const digest = artifact.digest ?? DIGEST.exec(artifact.ref)?.[1];
      const ref = artifact.ref.replace(DIGEST, "");
      if (digest !== undefined) sorted.pinned[name] = { kind: "image", ref, digest };
      else if (isWanted(name)) {
        const tag = fill(artifact.tag ?? "${version}");
        sorted.late.push({
          name,
          kind: "image",
          ref,
          tag,
          what: `${ref}:${tag} in the registry`,
          waitSeconds: waitOf(artifact),
        });
      }
    } else {
      const url = fill(artifact.url);
      // Who writes the digest and no wait says that it is there.
      if (artifact.sha256 !== undefined && artifact.wait === undefined) {
        sorted.pinned[name] = { kind: "url", url, sha256: artifact.sha256 };
      } else if (isWanted(name)) {
        const sha256Url = artifact.sha256Url === undefined ? undefined : fill(artifact.sha256Url);
        sorted.late.push({
          name,
          kind: "url",
          url,
          sha256: artifact.sha256,
          sha256Url,
          what: url,
          waitSeconds: waitOf(artifact),
        });
      }
    }
  }
  return sorted;
}

const waitOf = (artifact: { wait?: string }) =>
  artifact.wait === undefined ? DEFAULT_WAIT_SECONDS : parseDuration(artifact.wait)!;

/** CI names an image or an artifact: the declared one of that kind, else what a runtime runs, else a new one. */
function fromBuild(
  declared: Record<string, Artifact>,
  used: readonly string[],
  { application, build = {} }: ArtifactContext,
): Record<string, Artifact> {
  const chosen: Record<string, Artifact> = {};
  const only = (isKind: (a: Artifact) => boolean, fallback: string) => {
    const names = Object.keys(declared).filter((name) => isKind(declared[name]!));
    if (names.length > 1) {
      throw new AppError(
        "invalid",
        "version.artifact_ambiguous",
        `${application} declares the artifacts ${names.join(" and ")}; say with artifact.name which one was built.`,
      );
    }
    return names[0] ?? used.find((name) => !Object.hasOwn(declared, name)) ?? fallback;
  };
  if (build.image !== undefined) {
    const name = only((a) => "ref" in a, "image");
    chosen[name] = { ...imageOf(build.image), ...withWait(declared[name]) };
  }
  if (typeof build.artifact === "string") {
    const name = only((a) => "url" in a, "artifact");
    chosen[name] = { url: checkedUrl(build.artifact, application), ...withWait(declared[name]) };
  } else if (build.artifact !== undefined) {
    const name = build.artifact.name ?? only((a) => "url" in a || "path" in a, "artifact");
    const sha256 = build.artifact.sha256;
    if (!(typeof sha256 === "string" ? [sha256] : Object.values(sha256)).every((s) => /^[0-9a-f]{64}$/.test(s))) {
      throw new AppError("invalid", "version.sha256", `${application}: artifact.sha256 must be 64 hexadecimal digits.`);
    }
    chosen[name] = { url: checkedUrl(build.artifact.url, application), sha256 };
  }
  return chosen;
}

const withWait = (declared: Artifact | undefined) =>
  declared !== undefined && "wait" in declared && declared.wait !== undefined ? { wait: declared.wait } : {};

function imageOf(image: string): { ref: string; tag?: string; digest?: string } {
  const digest = DIGEST.exec(image)?.[1];
  const bare = image.replace(DIGEST, "");
  const colon = bare.lastIndexOf(":");
  // A colon before the last slash is the registry's port.
  const [ref, tag] = colon > bare.lastIndexOf("/") ? [bare.slice(0, colon), bare.slice(colon + 1)] : [bare, undefined];
  return { ref, ...(digest !== undefined ? { digest } : { tag: tag ?? "latest" }) };
}

function checkedUrl(url: string, application: string): string {
  if (/^https?:\/\/[^\s/]+/.test(url)) return url;
  throw new AppError("invalid", "version.artifact_url", `${application}: artifact must be an http or https address.`);
}

type Layer = Pick<ApplicationConfig, "artifacts" | "runtime">;

/**
 * Every artifact that the document or one of its overlays declares, and what their runtimes run. A name means one thing:
 * pins are kept by name.
 * @returns `conflicts`: overlays that give a declared name another meaning
 */
export function allArtifacts(document: Layer & { environments?: Record<string, Layer> }): {
  artifacts: Record<string, Artifact>;
  used: string[];
  conflicts: { environment: string; name: string }[];
} {
  const artifacts: Record<string, Artifact> = { ...document.artifacts };
  const used = new Set(runsOf(document));
  const conflicts: { environment: string; name: string }[] = [];
  for (const [environment, overlay] of Object.entries(document.environments ?? {})) {
    for (const name of runsOf(overlay)) used.add(name);
    for (const [name, artifact] of Object.entries(overlay.artifacts ?? {})) {
      if (Object.hasOwn(artifacts, name) && JSON.stringify(artifacts[name]) !== JSON.stringify(artifact)) {
        conflicts.push({ environment, name });
      } else artifacts[name] = artifact;
    }
  }
  return { artifacts, used: [...used], conflicts };
}

const runsOf = ({ runtime }: Layer): string[] =>
  [runtime?.binary?.artifact, runtime?.docker?.image, runtime?.k8s?.image].filter((name) => name !== undefined);
