/** A deployment in one row: where it appears in lists. */
import type { Deployment } from "../../protocol/http_api.ts";
import { reasonText, t } from "../i18n/locale.ts";
import { lookOf } from "../models/state_look.ts";
import { Icon } from "./Icon.tsx";
import { Status } from "./Status.tsx";
import { Ago, RunTime } from "./Times.tsx";

export function Progress({ of }: { of: Deployment }) {
  const counts = Object.entries(of.progress).filter(([, count]) => count > 0);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const done = of.progress.success ?? 0;
  return (
    <span class="progress" title={counts.map(([state, count]) => `${state} ${count}`).join(", ")}>
      <span class="progress-bar" role="img" aria-label={t("progress", { done, total })}>
        {["success", "failed", "running", "cancelling", "skipped", "cancelled", "pending"].map((state) => {
          const count = of.progress[state] ?? 0;
          return count > 0 && (
            <i key={state} data-tone={lookOf(state).tone} data-state={state} style={{ flexGrow: count }} />
          );
        })}
      </span>
      <span class="figures">{done}/{total}</span>
    </span>
  );
}

export function DeploymentLine({ deployment }: { deployment: Deployment }) {
  return (
    <a class="line" href={`/deployments/${deployment.id}`} data-deployment={deployment.id}>
      <Status kind="deployment" state={deployment.status} compact />
      <span class="line-main">
        <span class="line-title">
          {deployment.removes
            ? (
              <span>
                {t("removal.title", {
                  applications: deployment.applications.join(", "),
                  environment: deployment.environment,
                })}
              </span>
            )
            : (
              <>
                <b class="mono">{deployment.version}</b>
                <Icon name="arrow" size={12} class="quiet" />
                <span>{deployment.environment}</span>
              </>
            )}
        </span>
        <span class="line-note">{reasonText(deployment.reason)}</span>
      </span>
      <span class="line-end">
        <Progress of={deployment} />
        <span class="quiet">
          {deployment.completedAt || !deployment.startedAt
            ? <Ago at={deployment.completedAt ?? deployment.createdAt} />
            : <RunTime of={deployment} />}
        </span>
      </span>
    </a>
  );
}
