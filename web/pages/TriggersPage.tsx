import { useState } from "preact/hooks";
import type { Trigger } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Reason } from "../components/Reason.tsx";
import { Status } from "../components/Status.tsx";
import { Ago } from "../components/Times.tsx";
import { TriggerForm } from "../components/triggers/TriggerForm.tsx";
import { t } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { navigate } from "../router.ts";
import { repositoryName } from "../text/text_parts.ts";

export function TriggersPage() {
  const { api, feed } = useApp();
  const mayAdd = useCan("deploy");
  const [adds, setAdds] = useState(false);
  const list = useModel(() => createList<Trigger>({ api, feed, path: "/triggers", topics: ["triggers"] }), []);
  return (
    <>
      <PageHead title={t("nav.triggers")}>
        {mayAdd && <Button icon="plus" name="add-trigger" onClick={() => setAdds(true)}>{t("trigger.add")}</Button>}
      </PageHead>
      <ListTable
        list={list}
        to={(trigger) => `/triggers/${trigger.id}`}
        empty={<Empty icon="triggers" title={t("triggers.none")}>{t("triggers.none.hint")}</Empty>}
        columns={[
          {
            title: t("column.name"),
            cell: (trigger) => (
              <a class="stacked" href={`/triggers/${trigger.id}`}>
                <b>{trigger.name}</b>
                <small>{sayOwner(trigger)}</small>
              </a>
            ),
          },
          { title: t("trigger.on"), cell: (trigger) => <span class="tag">{trigger.on}</span> },
          { title: t("column.environment"), cell: (trigger) => trigger.environment },
          { title: t("trigger.next"), cell: (trigger) => <NextTick trigger={trigger} /> },
          { title: t("trigger.last"), wide: true, cell: (trigger) => <LastRun trigger={trigger} /> },
        ]}
      />
      {adds && <TriggerForm onClose={() => setAdds(false)} onDone={(made) => navigate(`/triggers/${made.id}`)} />}
    </>
  );
}

/** Whose it is: a repository's file, or a person. */
export const sayOwner = (trigger: Trigger): string =>
  trigger.source === "file" ? `boreas.yaml · ${repositoryName(trigger.repository ?? "")}` : trigger.createdBy;

export function NextTick({ trigger }: { trigger: Trigger }) {
  return trigger.enabled ? <Ago at={trigger.nextDueAt} /> : <span class="tag">{t("trigger.off")}</span>;
}

function LastRun({ trigger: { lastRun } }: { trigger: Trigger }) {
  if (!lastRun) return <span class="quiet">–</span>;
  return (
    <span>
      <Status kind="trigger" state={lastRun.outcome} /> <Reason of={lastRun.reason} />{" "}
      <span class="quiet">
        <Ago at={lastRun.createdAt} />
      </span>
    </span>
  );
}
