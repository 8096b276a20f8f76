/** A release of the agent as a master hands it out, and what an agent says while it takes one. */
import { z } from "zod";

/** One file of a release; packed, it is `/api/v1/install/<name>.gz`. Hash and size are of what is in it. */
export const ReleaseFile = z.object({
  /** A plain name: no folder, no way out of one. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().int().min(1),
});
export type ReleaseFile = z.infer<typeof ReleaseFile>;

export const ReleaseManifest = z.object({
  version: z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/),
  /** What it speaks on the wire. */
  protocol: z.object({ min: z.number().int(), max: z.number().int() }),
  files: z.array(ReleaseFile).min(1).max(50),
  /** base64url Ed25519 by the master's release key over `signedRelease(...)`. */
  signature: z.string(),
});
export type ReleaseManifest = z.infer<typeof ReleaseManifest>;

/** The bytes that are signed: every word of the manifest that an agent acts upon. */
export const signedRelease = ({ version, protocol, files }: Omit<ReleaseManifest, "signature">): Uint8Array =>
  new TextEncoder().encode(JSON.stringify([
    "boreas.v1.release",
    version,
    [protocol.min, protocol.max],
    files.map((file) => [file.name, file.sha256, file.size]),
  ]));

/** `working`: how far it is; `failed`: it runs what it ran before, and why; `cancelled`: it left it as it was asked to. */
export const UpgradeReport = z.object({
  /** Of the upgrade that the master asked for. */
  id: z.string(),
  state: z.enum(["working", "failed", "cancelled"]),
  message: z.string().max(2000),
});
export type UpgradeReport = z.infer<typeof UpgradeReport>;
