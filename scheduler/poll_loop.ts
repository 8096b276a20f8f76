/**
 * Looks at repositories whose turn it is, for the pushes that no webhook told of.
 *
 *   turn due --claim (turn moved on)--> ls-remote --> a delivery per ref that moved
 *
 * Slow hosts hold nobody up: each turn is by itself, and few of one host. A crash in the middle costs one turn. A webhook and a poll of the same push are two deliveries and one version.
 */
import { claimPolls, nextPollSeconds } from "../db/repositories/claim_polls.ts";
import { knownRefs } from "../db/repositories/known_refs.ts";
import { noteRepository } from "../db/repositories/note_repository.ts";
import { readFollowed } from "../db/repositories/read_followed.ts";
import { recordDeliveries } from "../db/repositories/record_deliveries.ts";
import type { RepositoryRow } from "../db/repositories/repository_row.ts";
import { GitError } from "../domain/git.ts";
import { parseRef } from "../domain/git_ref.ts";
import { whyNotFollowed } from "../domain/match_trigger.ts";
import { reason } from "../domain/reason.ts";
import type { GitopsDeps } from "./gitops/deps.ts";
import { openRemote } from "./gitops/read_source.ts";
import type { Loop } from "./loop.ts";
import { createPlacedLoop } from "./placed_loop.ts";

const AT_ONCE = 8;
const OF_ONE_HOST = 3;
/** A sleeping loop is woken by the next turn, never more often than this. */
const SHORTEST_SLEEP_SECONDS = 1;

export function createPollLoop(deps: GitopsDeps): Loop {
  return createPlacedLoop({
    ...{ name: "poll loop", what: "a look at a repository", most: AT_ONCE, share: OF_ONE_HOST },
    onlyLeader: deps.leadership,
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    // Registering, changing and syncing a repository say "deliveries" and make its turn due.
    wokenBy: { hints: deps.hints, topic: "deliveries" },
    run: async (places) => {
      for (const { host, ...repository } of await claimPolls(deps.db, places.room())) {
        places.begin(host, () => poll(deps, repository));
      }
      const next = await nextPollSeconds(deps.db, places.full());
      return next === undefined ? undefined : Math.max(SHORTEST_SLEEP_SECONDS, next);
    },
  });
}

async function poll(deps: GitopsDeps, repository: RepositoryRow): Promise<void> {
  let refs: Map<string, string>;
  try {
    refs = await deps.git.lsRemote(await openRemote(deps.vault, repository));
  } catch (error: unknown) {
    const detail = error instanceof GitError ? error.message : "Something unexpected happened; the process log has it.";
    if (!(error instanceof GitError)) {
      deps.logger.log("ERROR", "a repository could not be polled", {
        repositoryId: repository.id,
        error: String(error),
      });
    }
    return await noteRepository(deps, repository, { reason: reason("repository.failed", { detail }), synced: false });
  }
  const followed = await readFollowed(deps.db, repository);
  const found = [...refs].flatMap(([ref, commit]) => {
    const parsed = parseRef(ref);
    return parsed && whyNotFollowed(followed, parsed) === undefined ? [{ ref, commit, kind: parsed.kind }] : [];
  });
  const known = await knownRefs(deps.db, repository.id, found);
  // Tags that were there before the repository was registered are history; a person may still deliver one again.
  const isFirst = repository.polledAt === null;
  const past = "The tag was there before the repository was registered; deliver it again to record it.";
  await recordDeliveries(
    deps,
    repository,
    "poll",
    found.filter(({ ref, commit }) => !known.has(`${ref} ${commit}`)).map(({ ref, commit, kind }) => ({
      deliveryKey: `poll:${ref}:${commit}`,
      event: "poll",
      ref,
      commit,
      ...(isFirst && kind === "tag" && { ignoredBecause: past }),
    })),
  );
  await noteRepository(deps, repository, {
    reason: reason("repository.ok", { ref: `refs/heads/${repository.branch}` }),
    synced: true,
    polled: true,
  });
}
