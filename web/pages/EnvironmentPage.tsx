import { useState } from "preact/hooks";
import type { AppStateItem, Environment } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { EnvironmentForm } from "../components/forms/EnvironmentForm.tsx";
import { Card, Empty, Facts, Loaded, PageHead } from "../components/Page.tsx";
import { Status } from "../components/Status.tsx";
import { Ago } from "../components/Times.tsx";
import { t, tState } from "../i18n/locale.ts";
import { createResource } from "../models/create_resource.ts";
import { reloadOnChange } from "../models/reduce_live.ts";
import type { Page } from "../models/reduce_live.ts";
import { policyText } from "../text/policy_text.ts";

export function EnvironmentPage({ id }: { id: string }) {
  const { api, feed } = useApp();
  const mayManage = useCan("manage");
  const [edits, setEdits] = useState(false);
  const environment = useModel(() =>
    createResource<Environment>({
      feed,
      topics: ["environments"],
      load: () => api.get(`/environments/${id}`),
      reduce: reloadOnChange,
    }), [id]);
  const status = useModel(() =>
    createResource<Page<AppStateItem>>({
      feed,
      topics: ["deployments", "environments"],
      load: () => api.get(`/environments/${id}/status`),
      reduce: reloadOnChange,
    }), [id]);
  return (
    <Loaded resource={environment}>
      {(data) => (
        <>
          <PageHead title={data.name} note={`${tState("type", data.type)}${data.region ? ` · ${data.region}` : ""}`}>
            {mayManage && <Button name="edit" onClick={() => setEdits(true)}>{t("edit")}</Button>}
          </PageHead>
          <Card>
            <Facts
              items={[
                [t("column.status"), <Status kind="environment" state={data.status} />],
                [t("column.policy"), policyText(data.policy, t) || t("policy.none")],
                [t("column.changed"), <Ago at={data.updatedAt} />],
              ]}
            />
          </Card>
          <Card title={t("environment.running")} flush>
            <Loaded resource={status}>{(page) => <Running items={page.items} />}</Loaded>
          </Card>
          {edits && (
            <EnvironmentForm
              environment={data}
              onClose={() => setEdits(false)}
              onDone={() => void environment.reload()}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

function Running({ items }: { items: AppStateItem[] }) {
  if (items.length === 0) return <Empty icon="applications" title={t("environment.empty")} />;
  return (
    <table class="table">
      <thead>
        <tr>
          <th>{t("column.application")}</th>
          <th>{t("column.target")}</th>
          <th>{t("column.version")}</th>
          <th>{t("column.health")}</th>
          <th>{t("column.sync")}</th>
          <th class="end">{t("column.changed")}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <tr key={`${item.applicationId} ${item.target}`}>
            <td>
              <a href={`/applications/${item.applicationId}`}>{item.application}</a>
            </td>
            <td>{item.target}</td>
            <td>
              {item.versionId
                ? <a class="mono" href={`/versions/${item.versionId}`}>{item.version}</a>
                : <span class="quiet">–</span>}
            </td>
            <td>
              <Status kind="health" state={item.health} />
            </td>
            <td>
              <Status kind="sync" state={item.sync} />
            </td>
            <td class="end">
              <Ago at={item.updatedAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
