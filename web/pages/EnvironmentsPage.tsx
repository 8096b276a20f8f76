import { useState } from "preact/hooks";
import type { Environment } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { EnvironmentForm } from "../components/forms/EnvironmentForm.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Status } from "../components/Status.tsx";
import { Ago } from "../components/Times.tsx";
import { t, tState } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { policyText } from "../text/policy_text.ts";

export function EnvironmentsPage() {
  const { api, feed } = useApp();
  const mayManage = useCan("manage");
  const [adds, setAdds] = useState(false);
  const list = useModel(
    () => createList<Environment>({ api, feed, path: "/environments", topics: ["environments"] }),
    [],
  );
  return (
    <>
      <PageHead title={t("nav.environments")}>
        {mayManage && (
          <Button icon="plus" name="add-environment" onClick={() => setAdds(true)}>{t("environment.add")}</Button>
        )}
      </PageHead>
      <ListTable
        list={list}
        to={(e) => `/environments/${e.id}`}
        empty={<Empty icon="environments" title={t("environments.none")}>{t("environments.none.hint")}</Empty>}
        columns={[
          {
            title: t("column.name"),
            cell: (e) => (
              <a href={`/environments/${e.id}`}>
                <b>{e.name}</b>
              </a>
            ),
          },
          { title: t("column.type"), cell: (e) => tState("type", e.type) },
          { title: t("column.status"), cell: (e) => <Status kind="environment" state={e.status} /> },
          { title: t("column.region"), cell: (e) => e.region || <span class="quiet">–</span> },
          {
            title: t("column.policy"),
            wide: true,
            cell: (e) => <span class="reason">{policyText(e.policy, t) || <span class="quiet">–</span>}</span>,
          },
          { title: t("column.changed"), cell: (e) => <Ago at={e.updatedAt} /> },
        ]}
      />
      {adds && <EnvironmentForm onClose={() => setAdds(false)} onDone={() => void list.reload()} />}
    </>
  );
}
