import { useState } from "preact/hooks";
import type { Agent } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { ConfirmDialog } from "../components/Dialog.tsx";
import { EnrollDialog } from "../components/forms/EnrollDialog.tsx";
import { AgentForm } from "../components/forms/AgentForm.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Status } from "../components/Status.tsx";
import { Ago } from "../components/Times.tsx";
import { reasonText, t } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { factsText } from "../text/facts_text.ts";

export function AgentsPage() {
  const { api, feed, toasts } = useApp();
  const mayManage = useCan("manage");
  const mayDeploy = useCan("deploy");
  const [enrolls, setEnrolls] = useState(false);
  const [edited, setEdited] = useState<Agent>();
  const [revoked, setRevoked] = useState<Agent>();
  const list = useModel(() => createList<Agent>({ api, feed, path: "/agents", topics: ["agents"] }), []);
  const cordon = (agent: Agent) =>
    api.send("POST", `/agents/${agent.id}/${agent.cordoned ? "uncordon" : "cordon"}`).then(() => list.reload()).catch(
      toasts.problem,
    );
  return (
    <>
      <PageHead title={t("nav.agents")}>
        {mayManage && (
          <Button icon="plus" look="primary" name="enroll" onClick={() => setEnrolls(true)}>{t("enroll.title")}</Button>
        )}
      </PageHead>
      <ListTable
        list={list}
        empty={<Empty icon="agents" title={t("agents.none")}>{t("agents.none.hint")}</Empty>}
        columns={[
          {
            title: t("column.name"),
            cell: (a) => (
              <span class="stacked">
                <b>{a.name}</b>
                <small>{factsText(a.facts)}</small>
              </span>
            ),
          },
          {
            title: t("column.status"),
            cell: (a) => (
              <span title={reasonText(a.reason)}>
                <Status kind="agent" state={a.status} />
                {a.cordoned && <span class="tag" data-tone="warning">{t("agent.cordoned")}</span>}
              </span>
            ),
          },
          { title: t("agent.slots"), cell: (a) => <Slots busy={a.busySlots} all={a.slots} /> },
          {
            title: t("nav.environments"),
            cell: (a) => (
              <span class="tags">{a.environments.map((e) => <span key={e.id} class="tag">{e.name}</span>)}</span>
            ),
          },
          {
            title: t("agent.labels"),
            wide: true,
            cell: (a) => (
              <span class="tags">
                {Object.entries(a.labels).map(([key, value]) => <span key={key} class="tag mono">{key}={value}</span>)}
                {a.embedded && <span class="tag">{t("agent.embedded")}</span>}
              </span>
            ),
          },
          {
            title: t("agent.version"),
            cell: (a) => (
              <span class="mono quiet">{a.versions.boreas ?? a.versions.agent ?? Object.values(a.versions)[0]}</span>
            ),
          },
          { title: t("agent.seen"), cell: (a) => <Ago at={a.lastSeenAt} /> },
          {
            title: "",
            end: true,
            cell: (a) =>
              a.status !== "revoked" && (
                <span class="actions">
                  {mayManage && (
                    <Button small look="ghost" name="labels" onClick={() => setEdited(a)}>{t("edit")}</Button>
                  )}
                  {mayDeploy && (
                    <Button small look="ghost" name="cordon" onClick={() => cordon(a)}>
                      {t(a.cordoned ? "agent.uncordon" : "agent.cordon")}
                    </Button>
                  )}
                  {mayManage && !a.embedded && (
                    <Button small look="ghost" name="revoke" onClick={() => setRevoked(a)}>{t("agent.revoke")}</Button>
                  )}
                </span>
              ),
          },
        ]}
      />
      {enrolls && <EnrollDialog onClose={() => setEnrolls(false)} />}
      {edited && <AgentForm agent={edited} onClose={() => setEdited(undefined)} onDone={() => void list.reload()} />}
      {revoked && (
        <ConfirmDialog
          title={t("agent.revoke")}
          text={t("agent.ask.revoke", { name: revoked.name })}
          submit={t("agent.revoke")}
          danger
          act={async () => {
            await api.send("DELETE", `/agents/${revoked.id}`);
            await list.reload();
          }}
          onClose={() => setRevoked(undefined)}
        />
      )}
    </>
  );
}

function Slots({ busy, all }: { busy: number; all: number }) {
  return (
    <span class="slots" title={t("agent.slots.busy", { busy, all })}>
      <meter min={0} max={Math.max(1, all)} value={busy} aria-label={t("agent.slots.busy", { busy, all })} />
      <span class="figures">{busy}/{all}</span>
    </span>
  );
}
