import type { DeploymentDeps } from "../../db/deployments/load_plan.ts";
import type { Vault } from "../../db/secrets/vault.ts";
import type { Git } from "../../domain/git.ts";
import type { CheckOutgoing, OutgoingFetch } from "../../domain/outgoing_check.ts";
import type { Chance, Clock, CrashPoint, Logger } from "../../domain/ports.ts";
import type { SecretSources } from "../../domain/secret_source.ts";
import type { Leadership } from "../leadership.ts";

/** What the loops between a push and its deployments need, passed in. */
export interface GitopsDeps extends DeploymentDeps {
  vault: Vault;
  /** Values of secrets that are kept elsewhere; absent where none are. */
  secretSources?: SecretSources;
  clock: Clock;
  chance: Chance;
  logger: Logger;
  crashPoint: CrashPoint;
  git: Git;
  /** Outgoing HTTP, to registries and artifact stores; redirects are followed here, each checked again. */
  fetch: OutgoingFetch;
  checkOutgoing: CheckOutgoing;
  /** Who of several masters asks the remotes. */
  leadership: Leadership;
  sweepSeconds: number;
  /** Seconds between two looks for a late artifact. */
  buildCheckSeconds?: number;
}

/** Ends the work on a delivery with a sentence; anything else that is thrown is tried again. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  constructor(readonly status: "ignored" | "failed", message: string) {
    super(message);
  }
}
