/**
 * What became of a commit, told beside it at its provider, on the master that leads.
 *
 *   deployments' events behind the cursor -> what each commit should show (rows, with the cursor)
 *   a row that is due -> taken (a lease) -> told -> noted
 *
 * A row is what should stand there, not a message: what changes several times while the provider is away is told once,
 * as it is then. A crash before the note tells the same once more, which changes nothing there.
 */
import { findRepository } from "../db/repositories/read_repositories.ts";
import { openOwnStatusToken } from "../db/repositories/repository_row.ts";
import { claimStatuses, nextStatusIn } from "../db/statuses/claim_statuses.ts";
import type { ClaimedStatus } from "../db/statuses/claim_statuses.ts";
import { finishStatus } from "../db/statuses/finish_status.ts";
import type { StatusEnd } from "../db/statuses/finish_status.ts";
import { routeDeployments } from "../db/statuses/route_deployments.ts";
import { afterTrouble, nextTryIn } from "../domain/notification.ts";
import { reason } from "../domain/reason.ts";
import type { GitopsDeps } from "./gitops/deps.ts";
import { RefusedCall } from "./gitops/forges/call_forge.ts";
import { tellCommit } from "./gitops/forges/tell_commit.ts";
import { OutgoingError } from "./gitops/outgoing_http.ts";
import type { Loop } from "./loop.ts";
import { createPlacedLoop } from "./placed_loop.ts";

/** Longer than any call. */
const LEASE_SECONDS = 60;
const AT_ONCE = 32;
/** One that takes connections and never answers holds these until they time out, and no other. */
const OF_ONE_HOST = 8;
/** However often it is woken: a busy installation writes events all the time. */
const REST_SECONDS = 0.5;

export interface StatusDeps extends GitopsDeps {
  /** Of the dashboard, without a trailing slash: where a status leads to. */
  publicUrl: string;
  /** Instead of the usual pauses between tries; for tests. */
  nextTryIn?: typeof nextTryIn;
}

export function createStatusLoop(deps: StatusDeps): Loop {
  return createPlacedLoop({
    ...{ name: "commit statuses", what: "a commit status", most: AT_ONCE, share: OF_ONE_HOST },
    sweepSeconds: deps.sweepSeconds,
    restSeconds: REST_SECONDS,
    onlyLeader: deps.leadership,
    wokenBy: { hints: deps.hints, topic: "events" },
    clock: deps.clock,
    logger: deps.logger,
    async run(places, isOn) {
      while ((await routeDeployments(deps.db)).more && isOn());
      for (const status of await claimStatuses(deps.db, places.room(), LEASE_SECONDS)) {
        places.begin(status.host, () => tell(deps, status));
      }
      if (places.free() === 0) return;
      return await nextStatusIn(deps.db, places.full());
    },
  });
}

async function tell(deps: StatusDeps, status: ClaimedStatus): Promise<void> {
  if (await finishStatus(deps.db, status, await tryOnce(deps, status))) deps.hints.announce("events");
}

async function tryOnce(deps: StatusDeps, status: ClaimedStatus): Promise<StatusEnd> {
  try {
    const repository = await findRepository(deps.db, status.repositoryId);
    const token = repository && await openOwnStatusToken(deps.vault, repository);
    if (!repository || !token) throw new RefusedCall("the repository has no statusToken any more");
    const said = { ...status, url: deps.publicUrl + status.path };
    const destination = await tellCommit(deps, repository, token, status.commit, said);
    return { status: "sent", reason: reason("notification.sent", { destination }) };
  } catch (error: unknown) {
    return judge(deps, status, error);
  }
}

function judge(deps: StatusDeps, { attempts, id }: ClaimedStatus, error: unknown): StatusEnd {
  if (error instanceof RefusedCall) {
    return { status: "failed", reason: reason("notification.refused", { detail: error.message }) };
  }
  const isForeseen = error instanceof OutgoingError;
  if (!isForeseen) deps.logger.log("ERROR", "a commit status could not be told", { id, error: String(error) });
  const detail = isForeseen ? error.message.replace(/\.$/, "") : "the master could not send it; its log says why";
  const pause = (deps.nextTryIn ?? nextTryIn)(attempts);
  const asked = isForeseen ? error.retryAfterSeconds ?? 0 : 0;
  return afterTrouble({ attempts, detail, pause: pause === undefined ? undefined : Math.ceil(Math.max(pause, asked)) });
}
