import type { Reason } from "../../domain/reason.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { Database } from "../database.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";
import { rollUpBuilds } from "./roll_up_builds.ts";
import type { Builds } from "./roll_up_builds.ts";

/** What a look at one application's artifacts found. */
export interface Finding {
  applicationId: string;
  builds: Builds;
  reason: Reason;
  /** Pinned now, beside what was pinned before. */
  pinned: Record<string, PinnedArtifact>;
}

/**
 * Writes what was found and rolls the version up. A pin is never replaced: CI's word, or an earlier look, may have come
 * in between.
 * @returns the version's builds, and whether they changed
 */
export async function writeBuilds(
  { db, hints }: { db: Database; hints: Hints },
  versionId: string,
  findings: readonly Finding[],
): Promise<{ builds: Builds; changed: boolean } | undefined> {
  const result = await inTransaction(db, async (tx) => {
    const [version] = await tx<{ builds: Builds }[]>`select builds from version where id = ${versionId} for update`;
    if (!version) return undefined; // deleted meanwhile
    for (const finding of findings) {
      await tx`
        update version_app set builds = ${finding.builds}, builds_reason = ${tx.json(finding.reason as never)},
          artifacts = ${tx.json(finding.pinned as never)} || artifacts
        where version_id = ${versionId} and application_id = ${finding.applicationId} and builds = 'waiting'`;
    }
    const builds = await rollUpBuilds(tx, versionId, "later");
    // People see in their deployments what is waited for and when it was last looked for; that is no event.
    await tx`
      update deployment d set reason = jsonb_set(jsonb_set(d.reason, '{text}', v.builds_reason -> 'text'),
        '{params,detail}', v.builds_reason -> 'text')
      from version v where v.id = ${versionId} and d.version_id = v.id and v.builds = 'waiting' and d.status = 'pending'
        and d.reason ->> 'code' = 'deployment.waiting_for_builds'`;
    return { builds, changed: builds !== version.builds };
  });
  if (result?.changed) hints.announce("events");
  return result;
}
