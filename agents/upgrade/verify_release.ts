/** What an agent believes of a release: words that the pinned key has signed, and nothing else. */
import { compareReleases } from "../../domain/compare_releases.ts";
import { ReleaseManifest, signedRelease } from "../../protocol/release.ts";

export interface Wanted {
  /** base64url raw Ed25519, pinned at enrolment. */
  releaseKey: string | undefined;
  version: string;
  /** What runs now. */
  runs: string;
  /** An older version may take the place of a newer one: only because a person said so for this upgrade. */
  downgrade: boolean;
  /** The wire's version that this agent and the master have agreed on. */
  protocol: number;
}

/** @throws Error with a sentence for a person when the release is not what was asked for, or not by our master */
export async function verifyRelease(document: unknown, wanted: Wanted): Promise<ReleaseManifest> {
  const { releaseKey, version, runs, downgrade, protocol } = wanted;
  if (!releaseKey) {
    throw new Error("This agent knows no release key of its master; enrol the machine again with the install line.");
  }
  const parsed = ReleaseManifest.safeParse(document);
  if (!parsed.success) throw new Error("The master's manifest of the release is not one.");
  const manifest = parsed.data;
  if (!await isSigned(manifest, releaseKey)) {
    throw new Error(
      "The release is not signed with the key that this agent pinned when it enrolled; nothing of it was used.",
    );
  }
  if (manifest.version !== version) {
    throw new Error(`The master hands out ${manifest.version}, and ${version} was asked for.`);
  }
  if (compareReleases(version, runs) < 0 && !downgrade) {
    throw new Error(`${version} is older than ${runs}, which runs; only an explicit downgrade goes back.`);
  }
  if (protocol < manifest.protocol.min || protocol > manifest.protocol.max) {
    throw new Error(
      `${version} speaks protocol ${manifest.protocol.min} to ${manifest.protocol.max} and would not understand this master, which speaks ${protocol}.`,
    );
  }
  return manifest;
}

async function isSigned(manifest: ReleaseManifest, releaseKey: string): Promise<boolean> {
  const [raw, signature] = [fromBase64Url(releaseKey), fromBase64Url(manifest.signature)];
  if (raw?.length !== 32 || signature?.length !== 64) return false;
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  return await crypto.subtle.verify("Ed25519", key, signature, new Uint8Array(signedRelease(manifest)));
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}
