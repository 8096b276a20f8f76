/** What triggers said to events, one line each: who, whether it fired, and why. */
import type { TriggerRun } from "../../../protocol/http_api.ts";
import { t } from "../../i18n/locale.ts";
import { Reason } from "../Reason.tsx";
import { Status } from "../Status.tsx";
import { Ago } from "../Times.tsx";

export function RunRows({ runs, named }: { runs: readonly TriggerRun[]; named?: boolean }) {
  return (
    <table class="table" data-runs>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id} data-run={run.id} data-outcome={run.outcome}>
            <td>
              <Status kind="trigger" state={run.outcome} />
            </td>
            <td>
              {named
                ? run.triggerId ? <a href={`/triggers/${run.triggerId}`}>{run.trigger}</a> : run.trigger
                : <span class="tag">{run.event}</span>} {run.dryRun && <span class="tag">{t("trigger.dry.run")}</span>}
            </td>
            <td>
              {run.versionId ? <a class="mono" href={`/versions/${run.versionId}`}>{run.version}</a> : run.environment}
            </td>
            <td class="wide">
              <Reason of={run.reason} />{" "}
              {run.deploymentId && <a href={`/deployments/${run.deploymentId}`}>{t("trigger.deployment")}</a>}
            </td>
            <td class="end quiet">
              <Ago at={run.createdAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
