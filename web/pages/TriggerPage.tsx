import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Trigger, TriggerRun } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { Card, Empty, Facts, Loaded, PageHead } from "../components/Page.tsx";
import { ConfirmDialog } from "../components/Dialog.tsx";
import { FireDialog } from "../components/triggers/FireDialog.tsx";
import { TriggerForm } from "../components/triggers/TriggerForm.tsx";
import { RunRows } from "../components/triggers/RunRows.tsx";
import { t } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { createResource } from "../models/create_resource.ts";
import { reloadOnChange } from "../models/reduce_live.ts";
import { navigate } from "../router.ts";
import { NextTick, sayOwner } from "./TriggersPage.tsx";

export function TriggerPage({ id }: { id: string }) {
  const { api, feed, toasts } = useApp();
  const mayFire = useCan("deploy");
  const [fires, setFires] = useState(false);
  const [edits, setEdits] = useState(false);
  const [removes, setRemoves] = useState(false);
  const trigger = useModel(() =>
    createResource<Trigger>({
      feed,
      topics: ["triggers"],
      load: () => api.get(`/triggers/${id}`),
      reduce: reloadOnChange,
    }), [id]);
  const runs = useModel(
    () => createList<TriggerRun>({ api, feed, path: `/triggers/${id}/runs`, topics: ["triggers"] }),
    [id],
  );
  const turn = (enabled: boolean) =>
    api.send("PATCH", `/triggers/${id}`, { enabled }).then(() => trigger.reload()).catch(toasts.problem);
  return (
    <Loaded resource={trigger}>
      {(data) => (
        <>
          <PageHead title={data.name} note={sayOwner(data)}>
            {mayFire && (
              <>
                {data.source === "api" && (
                  <>
                    <Button look="danger" name="remove" onClick={() => setRemoves(true)}>{t("remove")}</Button>
                    <Button name="edit" onClick={() => setEdits(true)}>{t("edit")}</Button>
                  </>
                )}
                <Button name={data.enabled ? "disable" : "enable"} onClick={() => turn(!data.enabled)}>
                  {t(data.enabled ? "trigger.disable" : "trigger.enable")}
                </Button>
                <Button icon="play" look="primary" name="fire" onClick={() => setFires(true)}>
                  {t("trigger.fire")}
                </Button>
              </>
            )}
          </PageHead>
          {data.source === "file" && <p class="quiet">{t("trigger.of.file")}</p>}
          <Card>
            <Facts
              items={[
                [t("trigger.on"), <span class="tag">{data.on}</span>],
                [t("column.environment"), environmentOf(data)],
                [t("trigger.start"), t(`trigger.start.${data.start}`)],
                [t("trigger.next"), data.on === "cron" && <NextTick trigger={data} />],
                ...Object.entries(data.rule).map(([key, value]): [string, ComponentChildren] => [
                  key,
                  <span class="mono">{Array.isArray(value) ? value.join(", ") : String(value)}</span>,
                ]),
              ]}
            />
          </Card>
          <Card title={t("trigger.runs")} flush>
            <Loaded resource={runs}>
              {(page) => (
                <>
                  {page.items.length === 0
                    ? <Empty icon="triggers" title={t("trigger.runs.none")} />
                    : <RunRows runs={page.items} />}
                  {page.nextCursor && (
                    <div class="more">
                      <Button small onClick={() => runs.more().catch(toasts.problem)}>{t("more")}</Button>
                    </div>
                  )}
                </>
              )}
            </Loaded>
          </Card>
          {edits && (
            <TriggerForm
              trigger={data}
              onClose={() => setEdits(false)}
              onDone={() => void trigger.reload()}
            />
          )}
          {removes && (
            <ConfirmDialog
              title={t("remove")}
              text={t("trigger.ask.remove", { name: data.name })}
              submit={t("remove")}
              danger
              act={async () => {
                await api.send("DELETE", `/triggers/${id}`);
                navigate("/triggers");
              }}
              onClose={() => setRemoves(false)}
            />
          )}
          {fires && <FireDialog trigger={data} onClose={() => setFires(false)} />}
        </>
      )}
    </Loaded>
  );
}

function environmentOf({ environment, environmentId }: Trigger) {
  if (!environmentId) return `${environment} (${t("trigger.environment.missing")})`;
  return <a href={`/environments/${environmentId}`}>{environment}</a>;
}
