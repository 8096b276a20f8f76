import { useState } from "preact/hooks";
import type { Version } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { DeployDialog } from "../components/forms/DeployDialog.tsx";
import { VersionForm } from "../components/forms/VersionForm.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Status } from "../components/Status.tsx";
import { CommitSearch } from "../components/version/CommitSearch.tsx";
import { Ago } from "../components/Times.tsx";
import { reasonText, t } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { repositoryName, shortCommit } from "../text/text_parts.ts";

export function VersionsPage() {
  const { api, feed } = useApp();
  const mayDeploy = useCan("deploy");
  const [deployed, setDeployed] = useState<Version>();
  const [adds, setAdds] = useState(false);
  const list = useModel(() => createList<Version>({ api, feed, path: "/versions", topics: ["versions"] }), []);
  return (
    <>
      <PageHead title={t("nav.versions")}>
        {mayDeploy && <Button icon="plus" onClick={() => setAdds(true)} name="add-version">{t("version.add")}</Button>}
      </PageHead>
      <ListTable
        list={list}
        to={(v) => `/versions/${v.id}`}
        empty={<Empty icon="versions" title={t("versions.none")}>{t("versions.none.hint")}</Empty>}
        columns={[
          {
            title: t("column.version"),
            cell: (v) => (
              <a class="stacked" href={`/versions/${v.id}`}>
                <b class="mono">{v.version}</b>
                {v.repository && <small title={v.repository}>{repositoryName(v.repository)}</small>}
              </a>
            ),
          },
          { title: t("column.status"), cell: (v) => <Status kind="version" state={v.status} /> },
          { title: t("column.builds"), cell: (v) => <Status kind="builds" state={v.builds} /> },
          {
            title: t("column.commit"),
            cell: (v) => <span class="mono quiet">{v.gitTag ? `${v.gitTag} ` : ""}{shortCommit(v.gitCommit)}</span>,
          },
          { title: t("nav.applications"), cell: (v) => <Applications of={v} /> },
          {
            title: t("column.description"),
            wide: true,
            cell: (v) => {
              const text = v.status === "revert"
                ? reasonText(v.reason)
                : v.builds === "ready"
                ? v.description
                : reasonText(v.buildsReason);
              return <span class="reason" title={text}>{text.split("\n")[0]}</span>;
            },
          },
          { title: t("column.created"), cell: (v) => <Ago at={v.createdAt} /> },
          {
            title: "",
            end: true,
            cell: (v) =>
              mayDeploy && (
                <Button
                  small
                  icon="deployments"
                  disabled={v.status === "revert"}
                  name="deploy"
                  onClick={() => setDeployed(v)}
                >
                  {t("deploy")}
                </Button>
              ),
          },
        ]}
      />
      <CommitSearch />
      {deployed && <DeployDialog version={deployed} onClose={() => setDeployed(undefined)} />}
      {adds && <VersionForm onClose={() => setAdds(false)} onDone={() => void list.reload()} />}
    </>
  );
}

function Applications({ of }: { of: Version }) {
  const changed = of.applications.filter((app) => app.changed);
  return (
    <span title={of.applications.map((app) => app.name).join(", ")}>
      {t("version.changed", { changed: changed.length, count: of.applications.length })}
    </span>
  );
}
