import { useState } from "preact/hooks";
import type { AppStateItem, Environment } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { Freezes } from "../components/environment/Freezes.tsx";
import { EnvironmentForm } from "../components/forms/EnvironmentForm.tsx";
import { Card, Facts, Loaded, PageHead } from "../components/Page.tsx";
import { RunningTargets } from "../components/running/RunningTargets.tsx";
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
      topics: ["deployments", "environments", "applications", "agents"],
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
          <Freezes environmentId={id} />
          <Card title={t("environment.running")} flush>
            <Loaded resource={status}>
              {(page) => (
                <RunningTargets
                  items={page.items}
                  first={{
                    head: t("column.application"),
                    cell: (item) => <a href={`/applications/${item.applicationId}`}>{item.application}</a>,
                  }}
                />
              )}
            </Loaded>
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
