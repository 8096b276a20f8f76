/** What is deployed where, how it stands and why, and what may be done about it. */
import { useEffect, useState } from "preact/hooks";
import type { Deployment } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { deploymentActions, isDangerous } from "../../models/actions.ts";
import type { DeploymentAction } from "../../models/actions.ts";
import { isFrozen } from "../../models/questions.ts";
import { shortId } from "../../text/text_parts.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import type { IconName } from "../icon_paths.ts";
import { Status } from "../Status.tsx";
import { Ago, RunTime } from "../Times.tsx";

const SIGNS: Record<DeploymentAction, IconName> = {
  start: "play",
  approve: "check",
  reject: "close",
  resume: "play",
  retry: "retry",
  pause: "pause",
  rollback: "rollback",
  cancel: "stop",
};

export function DeploymentHead({ deployment }: { deployment: Deployment }) {
  const { session } = useApp();
  const [asked, setAsked] = useState<DeploymentAction>();
  const title = deployment.removes ? sayRemoval(deployment) : `${deployment.version} → ${deployment.environment}`;
  useEffect(() => void (document.title = `${title} · Boreas`), [title]);
  const actions = deploymentActions(deployment, session.base.value);
  const { approvals } = deployment;
  return (
    <header class="page-head deployment-head">
      <div class="page-title">
        <nav class="crumbs" aria-label={t("crumbs")}>
          <a href="/deployments">{t("nav.deployments")}</a> / <span class="mono">{shortId(deployment.id)}</span>
        </nav>
        <h1>
          {deployment.removes ? sayRemoval(deployment) : (
            <>
              <span class="mono">{deployment.version}</span>
              <Icon name="arrow" class="quiet" />
              {deployment.environment}
            </>
          )}
          <Status kind="deployment" state={deployment.status} />
        </h1>
        <p class="deployment-reason">{reasonText(deployment.reason)}</p>
        <p class="byline">
          <span>
            {t("deployment.by", { actor: deployment.createdBy })} <Ago at={deployment.createdAt} />
          </span>
          {deployment.startedAt && (
            <span>
              {t("deployment.took")} <RunTime of={deployment} />
            </span>
          )}
          {deployment.mustInOrder.length > 0 && (
            <span>{t("deployment.order")} {deployment.mustInOrder.join(" → ")}</span>
          )}
          {deployment.manualApproval && (
            <span>
              {t("deployment.approvals", { given: approvals.given.length, needed: approvals.count })}
              {approvals.given.length > 0 && ` (${approvals.given.map((one) => one.actor).join(", ")})`}
            </span>
          )}
        </p>
      </div>
      <div class="actions">
        {actions.map((action, at) => (
          <Button
            key={action}
            icon={SIGNS[action]}
            look={isDangerous(action)
              ? "danger"
              : at === 0 && action !== "pause" && !isFrozen(deployment)
              ? "primary"
              : "plain"}
            onClick={() => setAsked(action)}
            name={action}
          >
            {t(action === "start" && isFrozen(deployment) ? "freeze.start" : `deployment.do.${action}`)}
          </Button>
        ))}
      </div>
      {asked && <Ask action={asked} deployment={deployment} onClose={() => setAsked(undefined)} />}
    </header>
  );
}

function Ask(
  { action, deployment, onClose }: { action: DeploymentAction; deployment: Deployment; onClose: () => void },
) {
  const { api } = useApp();
  const { version, environment } = deployment;
  if (action === "start" && isFrozen(deployment)) {
    return (
      <ConfirmDialog
        title={t("freeze.start")}
        text={`${reasonText(deployment.reason)}\n\n${t("freeze.start.ask", { version, environment })}`}
        submit={t("freeze.start")}
        danger
        withNote="required"
        act={(reason) => api.send("POST", `/deployments/${deployment.id}/start`, { override: { reason } })}
        onClose={onClose}
      />
    );
  }
  return (
    <ConfirmDialog
      title={t(`deployment.do.${action}`)}
      text={sayAsk(action, deployment)}
      submit={t(`deployment.do.${action}`)}
      danger={isDangerous(action)}
      withNote={action === "reject" ? "required" : "optional"}
      act={(note) => api.send("POST", `/deployments/${deployment.id}/${action}`, note ? { note } : {})}
      onClose={onClose}
    />
  );
}

function sayAsk(action: DeploymentAction, { removes, applications, version, environment }: Deployment): string {
  const asked = removes ? action : undefined;
  return asked === "start" || asked === "approve" || asked === "reject" || asked === "rollback"
    ? t(`removal.ask.${asked}`, { applications: applications.join(", "), environment })
    : t(`deployment.ask.${action}`, { version, environment });
}

const sayRemoval = ({ applications, environment }: Deployment) =>
  t("removal.title", { applications: applications.join(", "), environment });
