/** Which image a release runs, and whether this machine takes it. Pure. */
import { parseImageRef, registryName, registrySecret } from "../../../domain/image_ref.ts";
import { pathMatcher } from "../../../domain/match_glob.ts";
import type { RenderedSpec } from "../../../protocol/operation.ts";
import { PmFailure } from "../failure.ts";
import type { PmPolicy } from "../policy.ts";

export const POLICY_FILE = "/etc/boreas/agent.yaml";

export interface PinnedImage {
  /** What the engine pulls and runs: name and digest, never a tag. */
  address: string;
  ref: string;
  digest: string;
  registry: string;
  /** The secret that may hold its login. */
  secret: string;
}

export function imageOf(spec: RenderedSpec, artifact: string): PinnedImage {
  const pinned = spec.artifacts[artifact];
  const address = pinned?.kind === "image" ? parseImageRef(pinned.ref) : undefined;
  if (pinned?.kind !== "image" || !address || !/^sha256:[0-9a-f]{64}$/.test(pinned.digest)) {
    throw new PmFailure(
      "artifact.missing",
      `${spec.application} runs the image ${artifact}, which its artifacts do not pin by name and digest.`,
    );
  }
  const { ref, digest } = pinned;
  return {
    address: `${ref}@${digest}`,
    ref,
    digest,
    registry: registryName(address),
    secret: registrySecret(address),
  };
}

/** Before anything is asked of a registry. */
export function requireImageAllowed(policy: PmPolicy, node: string, image: PinnedImage): void {
  const { registries, images } = policy;
  if (registries && !registries.includes(image.registry)) {
    throw new PmFailure(
      "policy.registry",
      `${node} takes no images from ${image.registry}: its policy allows ${
        listOf(registries)
      }. Who keeps the machine may add it under registries in ${POLICY_FILE}.`,
    );
  }
  if (images && !pathMatcher(images)(image.ref)) {
    throw new PmFailure(
      "policy.image",
      `${node} does not run the image ${image.ref}: its policy allows ${
        listOf(images)
      }. Who keeps the machine may add it under images in ${POLICY_FILE}.`,
    );
  }
}

const listOf = (names: readonly string[]) => (names.length === 0 ? "none" : names.join(", "));
