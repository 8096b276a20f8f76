/** Everything the API needs, passed in: so `createApp(deps).request()` tests it without a port. */
import type { CheckOutgoing } from "../domain/outgoing_check.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import type { ReasonTexts } from "../domain/notification_text.ts";
import type { PlanStages } from "../domain/plan_deployment.ts";
import type { Ready } from "../protocol/http_api.ts";
import type { ReleaseManifest } from "../protocol/release.ts";
import type { z } from "zod";
import type { Actor, Database } from "../db/database.ts";
import type { Hints } from "../db/hints.ts";
import type { Vault } from "../db/secrets/vault.ts";
import type { AgentFiles } from "./install/handed_out.ts";
import type { RateLimiter } from "./middleware/rate_limit.ts";

export interface ApiDeps {
  db: Database;
  hints: Hints;
  vault: Vault;
  clock: Clock;
  logger: Logger;
  /** 32 bytes each, derived from BOREAS_SECRET_KEY. */
  keys: { jwt: Uint8Array; blobTicket: Uint8Array };
  masterId: string;
  /** What releases of the agent are signed with; absent where none are handed out. */
  release?: {
    /** base64url raw Ed25519. */
    publicKey: string;
    sign(manifest: Omit<ReleaseManifest, "signature">): Promise<ReleaseManifest>;
  };
  /** Address people and agents reach us at, without a trailing slash. */
  publicUrl: string;
  limiter: RateLimiter;
  /** Environment type -> how its operator plans stages. */
  planners: Record<string, PlanStages>;
  /** Cookies carry `Secure` and the `__Host-` prefix: on https only. */
  secureCookies: boolean;
  /** Local folders may be registered as repositories (tests, demo). */
  allowFileRepositories: boolean;
  ready: () => Promise<z.infer<typeof Ready>>;
  /** Prometheus text of this process. */
  metrics: () => string;
  /** A file of the built dashboard by its path (`/assets/x.js`); undefined when there is none. */
  webFile: (path: string) => Promise<{ bytes: Uint8Array<ArrayBuffer>; contentType: string } | undefined>;
  /** What agents are installed from; absent where it was not built. */
  agentFiles?: AgentFiles;
  /** Checks an outgoing address (S33) before it is stored; throws AppError. */
  checkOutgoing: CheckOutgoing;
  /** Delivery ids that are committed already; the unique key in the database stays the truth. */
  recentDeliveries?: { seen(key: string): Promise<boolean>; remember(key: string): Promise<void> };
  productVersion: string;
  /** Reasons in Chinese, for the one page that the master words itself; in English without. */
  reasonsZh?: ReasonTexts;
  /** Aborted when the process ends: open streams end with it. */
  shutdown?: AbortSignal;
  /** PEM of our own CA, for agents that pin it; absent when the certificate is given or there is no TLS. */
  caCertificate?: string;
}

/** What the middlewares leave for the routes. */
export interface ApiEnv {
  Variables: {
    actor: Actor;
    requestId: string;
    /** The other end of the socket; forwarding headers are not believed. */
    peer: string;
    /** `user:ID` or `token:ID`: whose idempotency keys these are. */
    caller: string;
    /** The session that was signed in with; undefined for an API token. */
    session: string | undefined;
  };
}
