import { useState } from "preact/hooks";
import type { Repository } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { RepositoryForm } from "../components/forms/RepositoryForm.tsx";
import { Icon } from "../components/Icon.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Ago } from "../components/Times.tsx";
import { reasonText, t } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { repositoryName } from "../text/text_parts.ts";

export function RepositoriesPage() {
  const { api, feed, toasts } = useApp();
  const mayManage = useCan("manage");
  const maySync = useCan("deploy");
  const [adds, setAdds] = useState(false);
  const list = useModel(
    () => createList<Repository>({ api, feed, path: "/repositories", topics: ["repositories"] }),
    [],
  );
  const sync = (repository: Repository) =>
    api.send("POST", `/repositories/${repository.id}/sync`).then(() => toasts.done(t("repository.syncing"))).catch(
      toasts.problem,
    );
  return (
    <>
      <PageHead title={t("nav.repositories")}>
        {mayManage && (
          <Button icon="plus" look="primary" name="add-repository" onClick={() => setAdds(true)}>
            {t("repository.add")}
          </Button>
        )}
      </PageHead>
      <ListTable
        list={list}
        to={(r) => `/repositories/${r.id}`}
        empty={<Empty icon="repositories" title={t("repositories.none")}>{t("repositories.none.hint")}</Empty>}
        columns={[
          {
            title: t("column.repository"),
            cell: (r) => (
              <a class="stacked" href={`/repositories/${r.id}`}>
                <b>{repositoryName(r.url)}</b>
                <small class="mono">{r.url}</small>
              </a>
            ),
          },
          { title: t("repository.provider"), cell: (r) => r.provider },
          { title: t("repository.branch"), cell: (r) => <span class="mono">{r.branch}</span> },
          { title: t("column.status"), wide: true, cell: (r) => <RepositoryState repository={r} /> },
          { title: t("repository.synced"), cell: (r) => <Ago at={r.lastSyncedAt} /> },
          {
            title: "",
            end: true,
            cell: (r) =>
              maySync && <Button small icon="retry" name="sync" onClick={() => sync(r)}>{t("repository.sync")}</Button>,
          },
        ]}
      />
      {adds && <RepositoryForm onClose={() => setAdds(false)} onDone={() => void list.reload()} />}
    </>
  );
}

export function RepositoryState({ repository }: { repository: Repository }) {
  const isBad = repository.reason.code === "repository.failed";
  const isNew = repository.reason.code === "repository.new";
  return (
    <span class="status" data-tone={isBad ? "danger" : isNew ? "neutral" : "success"}>
      <Icon name={isBad ? "failed" : isNew ? "pending" : "success"} size={14} />
      <span class="reason">{reasonText(repository.reason)}</span>
    </span>
  );
}
