/** Requests for a person's yes: those of one deployment, or all that wait for the one who looks. */
import { useState } from "preact/hooks";
import type { ApprovalRequest } from "../../../protocol/http_api.ts";
import { withQuery } from "../../api/api_client.ts";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createResource } from "../../models/create_resource.ts";
import type { Resource } from "../../models/create_resource.ts";
import type { Page } from "../../models/reduce_live.ts";
import { now } from "../../text/now.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import { Card } from "../Page.tsx";
import { Ago } from "../Times.tsx";

type Decision = "approve" | "reject";

function useRequests(deploymentId?: string): Resource<Page<ApprovalRequest>> {
  const { api, feed } = useApp();
  const query = deploymentId ? { deploymentId, all: "true" } : {};
  return useModel(() =>
    createResource<Page<ApprovalRequest>>({
      feed,
      topics: [deploymentId ? `deployment:${deploymentId}` : "deployments"],
      load: () => api.get(withQuery("/approvals", { ...query, limit: 50 })),
      reduce: (_, event) => event.type === "deployment" || event.type === "tasks" ? "reload" : undefined,
    }), [deploymentId]);
}

/** On the overview: nothing at all while nothing waits. */
export function WaitsForMe() {
  const requests = useRequests();
  const items = requests.data.value?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Card title={t("approvals.mine")} flush>
      <ul class="requests" data-requests="mine">
        {items.map((one) => <Request key={one.id} request={one} resource={requests} named />)}
      </ul>
    </Card>
  );
}

/** On a deployment's page: also those that others must answer. */
export function RequestsOf({ deploymentId }: { deploymentId: string }) {
  const requests = useRequests(deploymentId);
  const items = requests.data.value?.items ?? [];
  if (items.length === 0) return null;
  return (
    <ul class="requests boxed" aria-label={t("approvals")} data-requests="deployment">
      {items.map((one) => <Request key={one.id} request={one} resource={requests} />)}
    </ul>
  );
}

function Request({ request, resource, named }: {
  request: ApprovalRequest;
  resource: Resource<Page<ApprovalRequest>>;
  named?: boolean;
}) {
  const { api } = useApp();
  const [asked, setAsked] = useState<Decision>();
  const { id, kind, version, environment, votes } = request;
  const path = kind === "task" ? `/tasks/${request.taskId}` : `/deployments/${request.deploymentId}`;
  const applications = request.applications.join(", ");
  const what = kind === "task"
    ? t("approvals.step", { name: applications })
    : request.removes
    ? t("removal.title", { applications, environment })
    : t("approvals.whole");
  return (
    <li data-request={id} data-may={request.mayVote}>
      <Icon name="approval" />
      <span class="request-main">
        <span>
          {named && (
            <>
              <a href={`/deployments/${request.deploymentId}`}>
                <b class="mono">{version}</b> → {environment}
              </a>
              {" · "}
            </>
          )}
          {what}: {t("approvals.missing", { missing: request.missing, needed: request.count })}
          {request.roles.length > 0 && ` · ${request.roles.join(", ")}`}
          {request.notAuthor && ` · ${t("approvals.not.author")}`}
        </span>
        <small class="quiet">
          <Ago at={request.since} />
          {request.expiresAt && ` · ${sayExpiry(request)}`}
          {votes.map((vote) => (
            <span key={vote.actor + vote.at} class={vote.counts ? "" : "struck"}>
              {" · "}
              {t(`approvals.vote.${vote.decision}`, { actor: vote.actor })}
              {vote.note && `: ${vote.note}`}
            </span>
          ))}
        </small>
        {!request.mayVote && <small class="quiet">{request.why}</small>}
      </span>
      {request.mayVote && (
        <span class="actions">
          <Button small look="primary" icon="check" name="approve-request" onClick={() => setAsked("approve")}>
            {t("deployment.do.approve")}
          </Button>
          <Button small icon="close" name="reject-request" onClick={() => setAsked("reject")}>
            {t("deployment.do.reject")}
          </Button>
        </span>
      )}
      {asked && (
        <ConfirmDialog
          title={t(`deployment.do.${asked}`)}
          text={request.removes
            ? t(`removal.ask.${asked}`, { applications, environment })
            : t(`approvals.ask.${asked}`, { what, version, environment })}
          submit={t(`deployment.do.${asked}`)}
          danger={asked === "reject"}
          withNote={asked === "reject" ? "required" : "optional"}
          act={async (note) => {
            await api.send("POST", `${path}/${asked}`, note ? { note } : {});
            void resource.reload();
          }}
          onClose={() => setAsked(undefined)}
        />
      )}
    </li>
  );
}

function sayExpiry({ expiresAt, onExpire }: ApprovalRequest): string {
  const minutes = Math.max(0, Math.ceil((Date.parse(expiresAt!) - now.value) / 60_000));
  const time = minutes < 120
    ? t("approvals.minutes", { count: minutes })
    : t("approvals.hours", { count: Math.round(minutes / 60) });
  return t(`approvals.expires.${onExpire}`, { time });
}
