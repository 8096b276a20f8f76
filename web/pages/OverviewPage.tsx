import { isActive, isEnded } from "../../domain/deployment_state.ts";
import type { Deployment, Overview } from "../../protocol/http_api.ts";
import { useApp, useModel } from "../app_context.ts";
import { WaitsForMe } from "../components/approvals/Requests.tsx";
import { DeploymentLine } from "../components/DeploymentLine.tsx";
import { Icon } from "../components/Icon.tsx";
import { Card, Empty, Loaded, PageHead } from "../components/Page.tsx";
import { Status } from "../components/Status.tsx";
import { t } from "../i18n/locale.ts";
import type { MessageKey } from "../i18n/locale.ts";
import { createResource } from "../models/create_resource.ts";
import { reduceOverview } from "../models/reduce_live.ts";

export function OverviewPage() {
  const { api, feed } = useApp();
  const overview = useModel(() =>
    createResource<Overview>({
      feed,
      topics: ["deployments", "agents", "applications", "environments", "repositories", "versions"],
      load: () => api.get("/overview"),
      reduce: reduceOverview,
    }), []);
  return (
    <>
      <PageHead title={t("nav.overview")} />
      <Loaded resource={overview}>
        {(data) => (
          <>
            {data.counts.failedDeliveries > 0 && (
              <a class="banner" data-tone="danger" href="/repositories">
                <Icon name="warning" />
                <span>{t("overview.deliveries.failed", { count: data.counts.failedDeliveries })}</span>
                <span class="banner-go">{t("overview.look")}</span>
              </a>
            )}
            <WaitsForMe />
            <Counts counts={data.counts} />
            <div class="overview">
              <Card title={t("overview.grid")} flush>
                {data.applications.length === 0 ? <FirstSteps /> : <Grid overview={data} />}
              </Card>
              <Recent deployments={data.deployments} />
            </div>
          </>
        )}
      </Loaded>
    </>
  );
}

function Counts({ counts }: { counts: Overview["counts"] }) {
  const items: [MessageKey, string | number, string, boolean?][] = [
    ["overview.active", counts.deploymentsActive, "/deployments", counts.deploymentsActive > 0],
    ["overview.waiting", counts.deploymentsWaiting, "/deployments?status=pending"],
    ["overview.agents", `${counts.agentsConnected}/${counts.agents}`, "/agents"],
    ["nav.applications", counts.applications, "/applications"],
    ["nav.environments", counts.environments, "/environments"],
    ["nav.repositories", counts.repositories, "/repositories"],
  ];
  return (
    <div class="counts">
      {items.map(([name, value, to, isLively]) => (
        <a key={name} href={to} class={isLively ? "count lively" : "count"}>
          <b class="figures">{value}</b>
          <span>{t(name)}</span>
        </a>
      ))}
    </div>
  );
}

function Grid({ overview }: { overview: Overview }) {
  const { applications, environments, grid, deployments } = overview;
  const cells = new Map(grid.map((cell) => [`${cell.applicationId} ${cell.environmentId}`, cell]));
  const active = deployments.filter((d) => isActive(d.status));
  return (
    <div class="scroll">
      <table class="table grid-table">
        <thead>
          <tr>
            <th scope="col">{t("column.application")}</th>
            {environments.map((environment) => (
              <th key={environment.id} scope="col">
                {environment.name} <span class="tag">{environment.type}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {applications.map((application) => (
            <tr key={application.id}>
              <th scope="row">
                <a href={`/applications/${application.id}`}>{application.name}</a>
              </th>
              {environments.map((environment) => {
                const cell = cells.get(`${application.id} ${environment.id}`);
                const moving = active.find((d) =>
                  d.environmentId === environment.id && d.applications.includes(application.name)
                );
                return (
                  <td key={environment.id} data-cell={`${application.name}@${environment.name}`}>
                    {cell?.version
                      ? (
                        <span class="running-version">
                          <Status kind="health" state={cell.health} compact />
                          <span class="mono">{cell.version}</span>
                          {cell.targets > 1 && <span class="quiet figures">×{cell.targets}</span>}
                        </span>
                      )
                      : <span class="quiet">–</span>}
                    {moving && moving.version !== cell?.version && (
                      <a class="moving" href={`/deployments/${moving.id}`}>
                        <Icon name="arrow" size={12} />
                        <span class="mono">{moving.version}</span>
                      </a>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Recent({ deployments }: { deployments: Deployment[] }) {
  const groups: [MessageKey, Deployment[]][] = [
    ["overview.now", deployments.filter((d) => !isEnded(d.status))],
    ["overview.recent", deployments.filter((d) => isEnded(d.status)).slice(0, 12)],
  ];
  return (
    <div class="stack">
      {groups.map(([title, list]) =>
        (list.length > 0 || title === "overview.recent") && (
          <Card key={title} title={t(title)} flush>
            {list.map((deployment) => <DeploymentLine key={deployment.id} deployment={deployment} />)}
            {list.length === 0 && <Empty icon="deployments" title={t("deployments.none")} />}
          </Card>
        )
      )}
    </div>
  );
}

function FirstSteps() {
  return (
    <div class="first-steps">
      <h3>{t("first.title")}</h3>
      <ol>
        <li>
          <a href="/environments">{t("first.environment")}</a>
        </li>
        <li>
          <a href="/repositories">{t("first.repository")}</a>
        </li>
        <li>{t("first.push")}</li>
      </ol>
    </div>
  );
}
