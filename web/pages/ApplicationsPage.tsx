import { useState } from "preact/hooks";
import type { Application } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { ApplicationForm } from "../components/forms/ApplicationForm.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Proposals } from "../components/Proposals.tsx";
import { Ago } from "../components/Times.tsx";
import { t, tState } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { repositoryName } from "../text/text_parts.ts";

export function ApplicationsPage() {
  const { api, feed } = useApp();
  const mayAdd = useCan("deploy");
  const [adds, setAdds] = useState(false);
  const list = useModel(
    () => createList<Application>({ api, feed, path: "/applications", topics: ["applications"] }),
    [],
  );
  return (
    <>
      <PageHead title={t("nav.applications")}>
        {mayAdd && (
          <Button icon="plus" name="add-application" onClick={() => setAdds(true)}>{t("application.add")}</Button>
        )}
      </PageHead>
      <Proposals onChange={() => void list.reload()} />
      <ListTable
        list={list}
        to={(a) => `/applications/${a.id}`}
        empty={<Empty icon="applications" title={t("applications.none")}>{t("applications.none.hint")}</Empty>}
        columns={[
          {
            title: t("column.name"),
            cell: (a) => (
              <a href={`/applications/${a.id}`}>
                <b>{a.name}</b>
              </a>
            ),
          },
          { title: t("column.type"), cell: (a) => tState("type", a.type) },
          {
            title: t("nav.environments"),
            cell: (a) => (
              <span class="tags">{a.environments.map((e) => <span key={e.id} class="tag">{e.name}</span>)}</span>
            ),
          },
          {
            title: t("column.repository"),
            cell: (a) =>
              a.repository
                ? <span title={a.repository}>{repositoryName(a.repository)}</span>
                : <span class="quiet">–</span>,
          },
          { title: t("column.description"), wide: true, cell: (a) => <span class="reason">{a.description}</span> },
          { title: t("column.changed"), cell: (a) => <Ago at={a.updatedAt} /> },
        ]}
      />
      {adds && <ApplicationForm onClose={() => setAdds(false)} onDone={() => void list.reload()} />}
    </>
  );
}
