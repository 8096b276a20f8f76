import { DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import type { Deployment, Environment } from "../../protocol/http_api.ts";
import { useApp, useModel } from "../app_context.ts";
import { Progress } from "../components/DeploymentLine.tsx";
import { SelectField } from "../components/Field.tsx";
import { Icon } from "../components/Icon.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Reason } from "../components/Reason.tsx";
import { Status } from "../components/Status.tsx";
import { Ago, RunTime } from "../components/Times.tsx";
import { t, tState } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { reduceDeployments } from "../models/reduce_live.ts";
import { query, setQuery } from "../router.ts";

export function DeploymentsPage() {
  const { api, feed } = useApp();
  const status = query.value.get("status") ?? "";
  const environmentId = query.value.get("environment") ?? "";
  const versionId = query.value.get("version") ?? undefined;
  const environments = useModel(
    () => createList<Environment>({ api, feed, path: "/environments", topics: ["environments"] }),
    [],
  );
  const list = useModel(() =>
    createList<Deployment>({
      api,
      feed,
      path: "/deployments",
      query: { status, environmentId, versionId },
      topics: ["deployments"],
      reduce: reduceDeployments,
    }), [status, environmentId, versionId]);
  // The stream tells of every deployment; the filter holds for what arrives as for what was read.
  const isWanted = (d: Deployment) =>
    (!status || d.status === status) && (!environmentId || d.environmentId === environmentId) &&
    (!versionId || d.versionId === versionId);
  return (
    <>
      <PageHead title={t("nav.deployments")}>
        <SelectField
          bare
          label={t("column.environment")}
          value={environmentId}
          onValue={(value) => setQuery({ environment: value })}
          options={[
            { value: "", text: t("filter.environments") },
            ...(environments.data.value?.items ?? []).map((e) => ({ value: e.id, text: e.name })),
          ]}
        />
        <SelectField
          bare
          label={t("column.status")}
          value={status}
          onValue={(value) => setQuery({ status: value })}
          options={[
            { value: "", text: t("filter.states") },
            ...DEPLOYMENT_STATES.map((s) => ({ value: s, text: tState("deployment", s) })),
          ]}
        />
      </PageHead>
      <ListTable
        list={list}
        filter={isWanted}
        to={(d) => `/deployments/${d.id}`}
        empty={<Empty icon="deployments" title={t("deployments.none")}>{t("deployments.none.hint")}</Empty>}
        columns={[
          { title: t("column.status"), cell: (d) => <Status kind="deployment" state={d.status} /> },
          {
            title: t("column.deployment"),
            cell: (d) => (
              <a class="arrow-name" href={`/deployments/${d.id}`}>
                {d.removes
                  ? t("removal.title", { applications: d.applications.join(", "), environment: d.environment })
                  : (
                    <>
                      <b class="mono">{d.version}</b>
                      <Icon name="arrow" size={12} class="quiet" />
                      {d.environment}
                    </>
                  )}
              </a>
            ),
          },
          { title: t("nav.applications"), cell: (d) => <Progress of={d} /> },
          { title: t("column.reason"), wide: true, cell: (d) => <Reason of={d.reason} /> },
          { title: t("column.by"), cell: (d) => d.createdBy },
          { title: t("column.created"), cell: (d) => <Ago at={d.createdAt} /> },
          { title: t("task.duration"), end: true, cell: (d) => <RunTime of={d} /> },
        ]}
      />
    </>
  );
}
