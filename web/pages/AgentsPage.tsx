import { useState } from "preact/hooks";
import type { Agent } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { actsOn, actTitle, AgentDialog } from "../components/agents/AgentDialog.tsx";
import type { AgentAct } from "../components/agents/AgentDialog.tsx";
import { AgentState } from "../components/agents/AgentState.tsx";
import { UpgradePanel } from "../components/agents/UpgradePanel.tsx";
import { Button } from "../components/Button.tsx";
import { ConfirmDialog } from "../components/Dialog.tsx";
import { EnrollDialog } from "../components/forms/EnrollDialog.tsx";
import { AgentForm } from "../components/forms/AgentForm.tsx";
import { ListTable } from "../components/ListTable.tsx";
import { Empty, PageHead } from "../components/Page.tsx";
import { Ago } from "../components/Times.tsx";
import { t } from "../i18n/locale.ts";
import type { MessageKey } from "../i18n/locale.ts";
import { createList } from "../models/list_model.ts";
import { factsText } from "../text/facts_text.ts";

export function AgentsPage() {
  const { api, feed, toasts } = useApp();
  const mayManage = useCan("manage");
  const can = { mayManage, mayDeploy: useCan("deploy") };
  const [enrolls, setEnrolls] = useState(false);
  const [shownId, setShownId] = useState<string>();
  const [asked, setAsked] = useState<{ agent: Agent; act: AgentAct }>();
  const list = useModel(() => createList<Agent>({ api, feed, path: "/agents", topics: ["agents", "deployments"] }), []);
  const shown = list.data.value?.items.find(({ id }) => id === shownId);
  const send = async (agent: Agent, act: AgentAct) => {
    if (act === "revoke") await api.send("DELETE", `/agents/${agent.id}`);
    else await api.send("POST", `/agents/${agent.id}/${act}`);
    await list.reload();
  };
  /** What takes something away, or cannot be taken back, is asked about first. */
  const begin = (agent: Agent, act: AgentAct) => {
    if (ASKED.has(act)) setAsked({ agent, act });
    else send(agent, act).catch(toasts.problem);
  };
  return (
    <>
      <PageHead title={t("nav.agents")}>
        {mayManage && (
          <Button icon="plus" look="primary" name="enroll" onClick={() => setEnrolls(true)}>{t("enroll.title")}</Button>
        )}
      </PageHead>
      <UpgradePanel agents={list.data.value?.items ?? []} />
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
            cell: (a) => <AgentState agent={a} />,
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
            cell: (a) => (
              <span class="actions">
                {quickActs(a, can).map((act) => (
                  <Button
                    key={act}
                    small
                    look="ghost"
                    name={act}
                    onClick={() => begin(a, act)}
                  >
                    {actTitle(a, act)}
                  </Button>
                ))}
                <Button small look="ghost" name="manage" onClick={() => setShownId(a.id)}>{t("agent.manage")}</Button>
              </span>
            ),
          },
        ]}
      />
      {enrolls && <EnrollDialog onClose={() => setEnrolls(false)} />}
      {shown && !asked && (
        <AgentDialog
          agent={shown}
          onAct={(act) => begin(shown, act)}
          onClose={() => setShownId(undefined)}
        />
      )}
      {asked?.act === "edit" && (
        <AgentForm
          agent={asked.agent}
          onClose={() => setAsked(undefined)}
          onDone={() => void list.reload()}
        />
      )}
      {asked && asked.act !== "edit" && (
        <ConfirmDialog
          title={actTitle(asked.agent, asked.act)}
          text={t(askText(asked), { name: asked.agent.name })}
          submit={actTitle(asked.agent, asked.act)}
          danger={asked.act === "revoke"}
          act={() => send(asked.agent, asked.act)}
          onClose={() => setAsked(undefined)}
        />
      )}
    </>
  );
}

const ASKED: ReadonlySet<AgentAct> = new Set(["drain", "rotate", "revoke", "edit"]);
const askText = ({ agent, act }: { agent: Agent; act: AgentAct }): MessageKey =>
  act === "drain"
    ? "agent.ask.drain"
    : act === "rotate"
    ? "agent.ask.rotate"
    : agent.awaitsApproval
    ? "agent.ask.refuse"
    : "agent.ask.revoke";

/** What a person most likely came for; the rest stands in the dialog. */
const quickActs = (agent: Agent, can: { mayManage: boolean; mayDeploy: boolean }): AgentAct[] => {
  const acts = actsOn(agent, can);
  return acts.filter((act) => act === "approve" || act === "cordon" || act === "uncordon");
};

function Slots({ busy, all }: { busy: number; all: number }) {
  return (
    <span class="slots" title={t("agent.slots.busy", { busy, all })}>
      <meter min={0} max={Math.max(1, all)} value={busy} aria-label={t("agent.slots.busy", { busy, all })} />
      <span class="figures">{busy}/{all}</span>
    </span>
  );
}
