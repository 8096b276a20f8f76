import { useState } from "preact/hooks";
import type { Delivery, Repository } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { CopyLine } from "../components/CopyLine.tsx";
import { ConfirmDialog } from "../components/Dialog.tsx";
import { Card, Empty, Facts, Loaded, PageHead } from "../components/Page.tsx";
import { StatusesCard } from "../components/repository/StatusesCard.tsx";
import { Status } from "../components/Status.tsx";
import { RunsOf } from "../components/triggers/RunsOf.tsx";
import { Ago } from "../components/Times.tsx";
import { reasonText, t } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { createResource } from "../models/create_resource.ts";
import { reloadOnChange } from "../models/reduce_live.ts";
import { navigate } from "../router.ts";
import { repositoryName, shortCommit } from "../text/text_parts.ts";
import { RepositoryState } from "./RepositoriesPage.tsx";

export function RepositoryPage({ id }: { id: string }) {
  const { api, feed, toasts } = useApp();
  const maySync = useCan("deploy");
  const mayManage = useCan("manage");
  const [removes, setRemoves] = useState(false);
  const repository = useModel(() =>
    createResource<Repository>({
      feed,
      topics: ["repositories"],
      load: () => api.get(`/repositories/${id}`),
      reduce: reloadOnChange,
    }), [id]);
  const deliveries = useModel(
    () => createList<Delivery>({ api, feed, path: `/repositories/${id}/deliveries`, topics: ["repositories"] }),
    [id],
  );
  const send = (path: string) =>
    api.send("POST", `/repositories/${id}${path}`).then(() => deliveries.reload()).catch(toasts.problem);
  return (
    <Loaded resource={repository}>
      {(data) => (
        <>
          <PageHead title={repositoryName(data.url)} note={<span class="mono">{data.url}</span>}>
            {mayManage && <Button look="danger" name="remove" onClick={() => setRemoves(true)}>{t("remove")}</Button>}
            {maySync && (
              <Button icon="retry" look="primary" name="sync" onClick={() => send("/sync")}>
                {t("repository.sync")}
              </Button>
            )}
          </PageHead>
          <Card>
            <Facts
              items={[
                [t("column.status"), <RepositoryState repository={data} />],
                [t("repository.provider"), data.provider],
                [t("repository.branch"), <span class="mono">{data.branch}</span>],
                [t("repository.tags"), data.tagPattern && <span class="mono">{data.tagPattern}</span>],
                [t("repository.files"), <span class="mono">{data.configPaths.join(", ")}</span>],
                [t("repository.poll"), data.pollSeconds > 0 ? `${data.pollSeconds} s` : t("repository.poll.off")],
                [
                  t("repository.webhook.url"),
                  <CopyLine text={location.origin + data.webhookPath} label={t("repository.webhook.url")} />,
                ],
                [t("repository.synced"), <Ago at={data.lastSyncedAt} />],
              ]}
            />
          </Card>
          <Card title={t("repository.deliveries")} flush>
            <Loaded resource={deliveries}>
              {(page) => (
                <>
                  {page.items.length === 0 && <Empty icon="repositories" title={t("deliveries.none")} />}
                  <ul class="deliveries">
                    {page.items.map((delivery) => (
                      <DeliveryRow
                        key={delivery.id}
                        delivery={delivery}
                        onRedeliver={maySync ? () => send(`/deliveries/${delivery.id}/redeliver`) : undefined}
                      />
                    ))}
                  </ul>
                  {page.nextCursor && (
                    <div class="more">
                      <Button small onClick={() => deliveries.more().catch(toasts.problem)}>{t("more")}</Button>
                    </div>
                  )}
                </>
              )}
            </Loaded>
          </Card>
          <StatusesCard repositoryId={id} />
          {removes && (
            <ConfirmDialog
              title={t("remove")}
              text={t("repository.ask.remove", { name: repositoryName(data.url) })}
              submit={t("remove")}
              danger
              act={async () => {
                await api.send("DELETE", `/repositories/${id}`);
                navigate("/repositories");
              }}
              onClose={() => setRemoves(false)}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

function DeliveryRow({ delivery, onRedeliver }: { delivery: Delivery; onRedeliver?: () => void }) {
  const [asksWhy, setAsksWhy] = useState(false);
  return (
    <li data-delivery={delivery.id} data-state={delivery.status}>
      <div class="delivery-line">
        <Status kind="delivery" state={delivery.status} />
        <span class="delivery-what">
          <b>{delivery.event}</b> {delivery.source !== delivery.event && <span class="tag">{delivery.source}</span>}
          {" "}
          <span class="mono">{delivery.ref?.replace(/^refs\/(heads|tags)\//, "")} {shortCommit(delivery.commit)}</span>
        </span>
        <span class="delivery-reason">
          {reasonText(delivery.reason)}{" "}
          {delivery.versionId && <a href={`/versions/${delivery.versionId}`}>{t("delivery.version")}</a>}{" "}
          {delivery.versionId && (
            <Button
              small
              look="ghost"
              icon="triggers"
              name="why"
              label={t("delivery.triggers")}
              pressed={asksWhy}
              onClick={() => setAsksWhy(!asksWhy)}
            />
          )}
        </span>
        <span class="quiet">
          <Ago at={delivery.receivedAt} />
        </span>
        {onRedeliver && (
          <Button small look="ghost" icon="retry" name="redeliver" onClick={onRedeliver}>{t("delivery.again")}</Button>
        )}
      </div>
      {asksWhy && <RunsOf deliveryId={delivery.id} />}
      {delivery.problems.length > 0 && (
        <ul class="delivery-problems">
          {delivery.problems.map((problem, at) => (
            <li key={at}>
              <code>{problem.file}:{problem.line}</code>
              {problem.path && <code class="quiet">{problem.path}</code>}
              <span>{problem.message}</span>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
