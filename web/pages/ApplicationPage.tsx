import { useState } from "preact/hooks";
import type {
  Application,
  AppStateItem,
  Binding as Bound,
  Environment,
  HistoryItem as Past,
} from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { SelectField } from "../components/Field.tsx";
import { Icon } from "../components/Icon.tsx";
import { Card, Empty, Facts, Loaded, PageHead } from "../components/Page.tsx";
import { Reason } from "../components/Reason.tsx";
import { RemoveDialog } from "../components/running/RemoveDialog.tsx";
import { RunningTargets } from "../components/running/RunningTargets.tsx";
import { Status } from "../components/Status.tsx";
import { Ago, RunTime } from "../components/Times.tsx";
import { t, tState } from "../i18n/locale.ts";
import { createResource } from "../models/create_resource.ts";
import { reloadOnChange } from "../models/reduce_live.ts";
import type { Page } from "../models/reduce_live.ts";

export function ApplicationPage({ id }: { id: string }) {
  const { api, feed } = useApp();
  const application = useModel(() =>
    createResource<Application>({
      feed,
      topics: ["applications"],
      load: () => api.get(`/applications/${id}`),
      reduce: reloadOnChange,
    }), [id]);
  const history = useModel(() =>
    createResource<Page<Past>>({
      feed,
      topics: ["deployments"],
      load: () => api.get(`/applications/${id}/history`),
      reduce: reloadOnChange,
    }), [id]);
  return (
    <Loaded resource={application}>
      {(data) => (
        <>
          <PageHead title={data.name} note={data.description} />
          <div class="columns">
            <Card title={t("application.about")}>
              <Facts
                items={[
                  [t("column.type"), tState("type", data.type)],
                  [t("column.repository"), data.repository && <span class="mono">{data.repository}</span>],
                  [t("column.created"), <Ago at={data.createdAt} />],
                  [t("column.changed"), <Ago at={data.updatedAt} />],
                ]}
              />
              {Object.keys(data.config).length > 0 && (
                <details class="config">
                  <summary>{t("application.config")}</summary>
                  <pre>{JSON.stringify(data.config, null, 2)}</pre>
                </details>
              )}
            </Card>
            <Bindings application={data} onChange={() => void application.reload()} />
          </div>
          <Running id={id} name={data.name} />
          <Card title={t("application.history")} flush>
            <Loaded resource={history}>{(page) => <History items={page.items} />}</Loaded>
          </Card>
        </>
      )}
    </Loaded>
  );
}

/** On every environment it is bound to, as its agents saw it last: their word comes within a scan. */
function Running({ id, name }: { id: string; name: string }) {
  const { api, feed } = useApp();
  const mayRemove = useCan("deploy");
  const [removed, setRemoved] = useState<string>();
  const running = useModel(() =>
    createResource<{ items: AppStateItem[]; names: Record<string, string> }>({
      feed,
      topics: ["applications", "deployments", "agents"],
      async load() {
        const bound = await api.get<Page<Bound>>(`/applications/${id}/environments`);
        const states = await Promise.all(
          bound.items.map((b) =>
            api.get<Page<AppStateItem>>(`/applications/${id}/environments/${b.environmentId}/resources?fresh=false`)
          ),
        );
        return {
          items: states.flatMap((page) => page.items),
          names: Object.fromEntries(bound.items.map((b) => [b.environmentId, b.environment])),
        };
      },
      reduce: reloadOnChange,
    }), [id]);
  return (
    <Card title={t("running.title")} flush>
      <Loaded resource={running}>
        {({ items, names }) => (
          <>
            <RunningTargets
              items={items}
              first={{
                head: t("column.environment"),
                cell: (item) => <a href={`/environments/${item.environmentId}`}>{names[item.environmentId]}</a>,
              }}
            />
            {mayRemove && items.length > 0 && (
              <div class="inline-form">
                {[...new Set(items.map((item) => item.environmentId))].map((environmentId) => (
                  <Button
                    key={environmentId}
                    small
                    look="danger"
                    name="remove"
                    onClick={() => setRemoved(environmentId)}
                  >
                    {t("removal.do", { environment: names[environmentId] ?? "" })}
                  </Button>
                ))}
              </div>
            )}
            {removed && (
              <RemoveDialog
                application={name}
                environmentId={removed}
                environment={names[removed] ?? ""}
                onClose={() => setRemoved(undefined)}
              />
            )}
          </>
        )}
      </Loaded>
    </Card>
  );
}

function Bindings({ application, onChange }: { application: Application; onChange: () => void }) {
  const { api, feed, toasts } = useApp();
  const mayBind = useCan("deploy");
  const [chosen, setChosen] = useState("");
  const bound = useModel(() =>
    createResource<Page<Bound>>({
      feed,
      topics: ["applications"],
      load: () => api.get(`/applications/${application.id}/environments`),
      reduce: reloadOnChange,
    }), [application.id]);
  const all = useModel(
    () =>
      createResource<Page<Environment>>({
        feed,
        topics: ["environments"],
        load: () => api.get("/environments?limit=200"),
        reduce: reloadOnChange,
      }),
    [],
  );
  const free = (all.data.value?.items ?? []).filter((e) =>
    !bound.data.value?.items.some((b) => b.environmentId === e.id)
  );
  const bind = async () => {
    try {
      await api.send("PUT", `/applications/${application.id}/environments/${chosen || free[0]!.id}`, { config: {} });
      await bound.reload();
      onChange();
    } catch (error: unknown) {
      toasts.problem(error);
    }
  };
  return (
    <Card title={t("nav.environments")} flush>
      <Loaded resource={bound}>
        {({ items }) => (
          <>
            <table class="table">
              <tbody>
                {items.map((binding) => (
                  <tr key={binding.environmentId}>
                    <td>
                      <a href={`/environments/${binding.environmentId}`}>{binding.environment}</a>
                      {binding.removedAt && (
                        <small class="quiet">
                          {" "}
                          {t("application.removed")} <Ago at={binding.removedAt} />
                        </small>
                      )}
                    </td>
                    <td class="wide mono quiet">
                      {Object.keys(binding.config).length > 0 && (
                        <span class="reason">{JSON.stringify(binding.config)}</span>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            {items.length === 0 && <Empty icon="environments" title={t("application.unbound")} />}
            {mayBind && free.length > 0 && (
              <div class="inline-form">
                <SelectField
                  bare
                  label={t("column.environment")}
                  value={chosen || free[0]!.id}
                  onValue={setChosen}
                  options={free.map((e) => ({ value: e.id, text: e.name }))}
                />
                <Button small icon="plus" name="bind" onClick={bind}>{t("application.bind")}</Button>
              </div>
            )}
          </>
        )}
      </Loaded>
    </Card>
  );
}

function History({ items }: { items: Past[] }) {
  if (items.length === 0) return <Empty icon="deployments" title={t("deployments.none")} />;
  return (
    <table class="table">
      <thead>
        <tr>
          <th>{t("column.status")}</th>
          <th>{t("column.deployment")}</th>
          <th>{t("column.reason")}</th>
          <th>{t("task.started")}</th>
          <th class="end">{t("task.duration")}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <tr key={item.taskId}>
            <td>
              <Status kind="task" state={item.status} />
            </td>
            <td>
              <a class="arrow-name" href={`/deployments/${item.deploymentId}?task=${item.taskId}`}>
                <b class="mono">{item.version}</b>
                <Icon name="arrow" size={12} class="quiet" />
                {item.environment}
              </a>
            </td>
            <td class="wide">
              <Reason of={item.reason} />
            </td>
            <td>
              <Ago at={item.startedAt} />
            </td>
            <td class="end">
              <RunTime of={item} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
