import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";

/** What a waiting application's reason carries, so that the version's can be put together from them. */
export interface WaitingParams {
  what: string;
  until: string;
  /** Instant of the last look; empty before the first. */
  checkedAt: string;
}

/** @param until instant */
export function sayWaiting({ what, until, checkedAt }: WaitingParams, checkedSecondsAgo = 0): Reason {
  const params = { what, until: `${until.slice(0, 16).replace("T", " ")} UTC`, untilAt: until, checkedAt };
  return checkedAt === ""
    ? reason("version.builds_expected", params)
    : reason("version.builds_waiting", { ...params, checked: `${checkedSecondsAgo} s` });
}

export type Builds = "waiting" | "ready" | "failed";

/**
 * The one place that decides a version's `builds`: the worst of its applications. Called in every transaction that
 * changes one of them, with the version's row locked.
 * @param checkAt when to look next: `now`, or unchanged
 */
export async function rollUpBuilds(tx: Tx, versionId: string, look: "now" | "later"): Promise<Builds> {
  const apps = await tx<{ name: string; builds: Builds; buildsReason: Reason }[]>`
    select a.name, va.builds, va.builds_reason from version_app va join application a on a.id = va.application_id
    where va.version_id = ${versionId} order by a.name`;
  const failed = apps.find((app) => app.builds === "failed");
  const waiting = apps.filter((app) => app.builds === "waiting");
  const builds: Builds = failed ? "failed" : waiting.length > 0 ? "waiting" : "ready";
  const said = failed
    ? reason("version.builds_failed", { detail: `${failed.name}: ${failed.buildsReason.text}` })
    : builds === "waiting"
    ? joinWaiting(waiting.map((app) => app.buildsReason))
    : reason("version.builds_ready");
  const [version] = await tx<{ projectId: string; version: string; before: Builds }[]>`
    update version v set builds = ${builds}, builds_reason = ${tx.json(said as never)}, updated_at = boreas_now(),
      builds_check_at = case when ${builds} <> 'waiting' then null when ${look} = 'now' then boreas_now()
        else coalesce(v.builds_check_at, boreas_now()) end
    from (select id, builds from version where id = ${versionId}) old
    where v.id = old.id returning v.project_id, v.version, old.builds as before`;
  if (version!.before !== builds) {
    await recordEvents(tx, [{
      topic: "version",
      projectId: version!.projectId,
      subjectId: versionId,
      kind: `version.builds_${builds}`,
      data: { name: version!.version, reason: said },
    }]);
  }
  return builds;
}

function joinWaiting(reasons: readonly Reason[]): Reason {
  const params = reasons.map((r) => r.params as unknown as WaitingParams & { untilAt: string });
  const earliest = (values: string[]) => values.sort()[0]!;
  return sayWaiting({
    what: [...new Set(params.map((p) => p.what))].join(" and "),
    until: earliest(params.map((p) => p.untilAt)),
    checkedAt: earliest(params.map((p) => p.checkedAt)),
  });
}
