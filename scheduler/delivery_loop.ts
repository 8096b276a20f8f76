/**
 * Works on deliveries.
 *
 *   received --claim--> processing --> processed | ignored | failed
 *      ^                    |
 *      '---- retry in N s --'   transient trouble, at most MAX_ATTEMPTS times
 *
 * A claim is a lease of LEASE_SECONDS that is renewed while the work goes on; `attempts` is its fence. A crash leaves the
 * row in `processing` until the lease ends, then the next claim takes it. One repository is worked on by one claim at a
 * time, several repositories side by side, few of one host: one that never answers holds its share and no other's.
 */
import { claimDelivery, renewDelivery } from "../db/repositories/claim_delivery.ts";
import type { ClaimedDelivery } from "../db/repositories/claim_delivery.ts";
import { finishDelivery } from "../db/repositories/finish_delivery.ts";
import type { DeliveryEnd } from "../db/repositories/finish_delivery.ts";
import { findRepository } from "../db/repositories/read_repositories.ts";
import { GitError } from "../domain/git.ts";
import type { Timer } from "../domain/ports.ts";
import { reason } from "../domain/reason.ts";
import { retryDelaySeconds } from "../domain/retry_delay.ts";
import type { GitopsDeps } from "./gitops/deps.ts";
import { OutgoingError } from "./gitops/outgoing_http.ts";
import { planPull } from "./gitops/plan_pull.ts";
import { processDelivery } from "./gitops/process_delivery.ts";
import type { Loop } from "./loop.ts";
import { createPlacedLoop } from "./placed_loop.ts";

/** Short: after a crash its repository stands still for so long. Renewed at a third of it, so a slow fetch keeps it. */
const LEASE_SECONDS = 15;
const MAX_ATTEMPTS = 5;
const SIDE_BY_SIDE = 8;
const OF_ONE_HOST = 2;

export function createDeliveryLoop(deps: GitopsDeps): Loop {
  return createPlacedLoop({
    ...{ name: "delivery loop", what: "a delivery", most: SIDE_BY_SIDE, share: OF_ONE_HOST },
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    wokenBy: { hints: deps.hints, topic: "deliveries" },
    run: async (places, isOn) => {
      while (isOn() && places.free() > 0) {
        const claim = await claimDelivery(deps.db, LEASE_SECONDS, places.full());
        if (!claim) return;
        places.begin(claim.host, () => workOn(deps, claim));
      }
    },
  });
}

async function workOn(deps: GitopsDeps, claim: ClaimedDelivery): Promise<void> {
  const lease = keepLease(deps, claim);
  let end: DeliveryEnd | undefined;
  try {
    const repository = await findRepository(deps.db, claim.repositoryId);
    if (!repository) return; // deleted, and the delivery with it
    end = claim.pull
      ? await planPull(deps, repository, claim, claim.pull)
      : await processDelivery(deps, repository, claim);
  } catch (error: unknown) {
    end = decideRetry(deps, claim, error);
  } finally {
    lease.cancel();
  }
  if (end) await finishDelivery(deps, claim, end);
}

function decideRetry(deps: GitopsDeps, claim: ClaimedDelivery, error: unknown): DeliveryEnd {
  const isExpected = error instanceof GitError || error instanceof OutgoingError;
  const detail = isExpected ? error.message : "Something unexpected happened; the process log has it.";
  if (!isExpected) {
    const stack = error instanceof Error ? error.stack : String(error);
    deps.logger.log("ERROR", "a delivery could not be worked on", { deliveryId: claim.id, error: stack });
  }
  if (claim.attempts >= MAX_ATTEMPTS) {
    const said = `${detail} Gave up after ${claim.attempts} attempts; deliver it again when that is mended.`;
    return { status: "failed", reason: reason("delivery.failed", { detail: said }) };
  }
  const asked = error instanceof OutgoingError ? error.retryAfterSeconds ?? 0 : 0;
  const seconds = Math.max(asked, retryDelaySeconds(claim.attempts, deps.chance()));
  const said = reason("delivery.retrying", { attempt: claim.attempts, detail, seconds: Math.ceil(seconds) });
  return { status: "received", reason: said, retrySeconds: seconds };
}

/** A first fetch of a large repository takes longer than any lease should last. */
function keepLease(deps: GitopsDeps, claim: ClaimedDelivery): Timer {
  let timer: Timer | undefined;
  const renew = () => {
    timer = deps.clock.after((LEASE_SECONDS / 3) * 1000, () => {
      renewDelivery(deps.db, claim, LEASE_SECONDS).then((held) => held && timer && renew(), (error: unknown) => {
        deps.logger.log("WARN", "the lease of a delivery could not be renewed", { error: String(error) });
        if (timer) renew();
      });
    });
  };
  renew();
  return {
    cancel() {
      timer?.cancel();
      timer = undefined;
    },
  };
}
