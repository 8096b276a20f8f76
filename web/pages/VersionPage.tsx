import { useState } from "preact/hooks";
import type { Version, VersionStatus as Where } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { ConfirmDialog } from "../components/Dialog.tsx";
import { DeployDialog } from "../components/forms/DeployDialog.tsx";
import { Card, Empty, Facts, Loaded, PageHead } from "../components/Page.tsx";
import { Reason } from "../components/Reason.tsx";
import { RunsOf } from "../components/triggers/RunsOf.tsx";
import { Status } from "../components/Status.tsx";
import { ChangesCard } from "../components/version/ChangesCard.tsx";
import { Ago } from "../components/Times.tsx";
import { reasonText, t } from "../i18n/locale.ts";
import { createResource } from "../models/create_resource.ts";
import { reloadOnChange } from "../models/reduce_live.ts";

export function VersionPage({ id }: { id: string }) {
  const { api, feed } = useApp();
  const version = useModel(
    () =>
      createResource<Version>({
        feed,
        topics: ["versions"],
        load: () => api.get(`/versions/${id}`),
        reduce: reloadOnChange,
      }),
    [id],
  );
  const where = useModel(() =>
    createResource<Where>({
      feed,
      topics: ["deployments"],
      load: () => api.get(`/versions/${id}/status`),
      reduce: reloadOnChange,
    }), [id]);
  return (
    <Loaded resource={version}>
      {(data) => (
        <>
          <Head version={data} />
          <div class="columns">
            <Card title={t("version.contents")} flush>
              <table class="table">
                <tbody>
                  {data.applications.map((app) => (
                    <tr key={app.id}>
                      <td>
                        <a href={`/applications/${app.id}`}>{app.name}</a>
                      </td>
                      <td>
                        <Status kind="builds" state={app.builds} />
                      </td>
                      <td class="end quiet">{t(app.changed ? "version.is.changed" : "version.is.same")}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Card>
            <Card title={t("nav.deployments")} flush>
              <Loaded resource={where}>{(found) => <Deployments of={found} />}</Loaded>
            </Card>
          </div>
          <ChangesCard key={data.id} version={data} />
          <Card title={t("delivery.triggers")} flush>
            <RunsOf versionId={id} />
          </Card>
        </>
      )}
    </Loaded>
  );
}

function Deployments({ of }: { of: Where }) {
  if (of.deployments.length === 0) return <Empty icon="deployments" title={t("deployments.none")} />;
  return (
    <table class="table">
      <tbody>
        {of.deployments.map((deployment) => (
          <tr key={deployment.id}>
            <td>
              <a href={`/deployments/${deployment.id}`}>{deployment.environment}</a>
            </td>
            <td>
              <Status kind="deployment" state={deployment.status} />
            </td>
            <td class="wide">
              <Reason of={deployment.reason} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Head({ version }: { version: Version }) {
  const { api } = useApp();
  const mayDeploy = useCan("deploy");
  const [asked, setAsked] = useState<"deploy" | "revert" | "unrevert">();
  const turn = version.status === "revert" ? "unrevert" : "revert";
  return (
    <>
      <PageHead
        title={version.version}
        note={version.status === "revert" ? reasonText(version.reason) : version.description.split("\n")[0]}
      >
        {mayDeploy && (
          <>
            <Button
              icon="rollback"
              look={turn === "revert" ? "danger" : "plain"}
              name={turn}
              onClick={() => setAsked(turn)}
            >
              {t(`version.do.${turn}`)}
            </Button>
            <Button
              icon="deployments"
              look="primary"
              disabled={version.status === "revert"}
              name="deploy"
              onClick={() => setAsked("deploy")}
            >
              {t("deploy")}
            </Button>
          </>
        )}
      </PageHead>
      <Card>
        <Facts
          items={[
            [t("column.status"), <Status kind="version" state={version.status} />],
            [
              t("version.artifacts"),
              <span class="stacked">
                <Status kind="builds" state={version.builds} />
                <small>{reasonText(version.buildsReason)}</small>
              </span>,
            ],
            [t("column.commit"), version.gitCommit && <span class="mono">{version.gitCommit}</span>],
            [t("version.tag"), version.gitTag && <span class="mono">{version.gitTag}</span>],
            [t("column.repository"), version.repository && <span class="mono">{version.repository}</span>],
            [t("column.by"), version.createdBy],
            [t("column.created"), <Ago at={version.createdAt} />],
          ]}
        />
      </Card>
      {asked === "deploy" && <DeployDialog version={version} onClose={() => setAsked(undefined)} />}
      {(asked === "revert" || asked === "unrevert") && (
        <ConfirmDialog
          title={t(`version.do.${asked}`)}
          text={t(`version.ask.${asked}`, { version: version.version })}
          submit={t(`version.do.${asked}`)}
          danger={asked === "revert"}
          withNote="required"
          act={(note) => api.send("POST", `/versions/${version.id}/${asked}`, { reason: note })}
          onClose={() => setAsked(undefined)}
        />
      )}
    </>
  );
}
