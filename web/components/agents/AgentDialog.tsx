/** One machine: what it is, what it allows, and everything that a person may do with it. */
import type { ComponentChildren } from "preact";
import type { Agent } from "../../../protocol/http_api.ts";
import { useCan } from "../../app_context.ts";
import { instantText, reasonText, t } from "../../i18n/locale.ts";
import type { MessageKey } from "../../i18n/locale.ts";
import { factRows, valueText } from "../../text/facts_text.ts";
import { Button } from "../Button.tsx";
import { Dialog } from "../Dialog.tsx";
import { AgentState } from "./AgentState.tsx";

export type AgentAct = "approve" | "cordon" | "uncordon" | "drain" | "rotate" | "revoke" | "edit";

/** What may be done with it now, in the order of a person's likely wishes. */
export function actsOn(agent: Agent, { mayManage, mayDeploy }: { mayManage: boolean; mayDeploy: boolean }): AgentAct[] {
  if (agent.status === "revoked") return [];
  const hold: AgentAct[] = agent.cordoned
    ? ["uncordon", ...(agent.drain ? [] : ["drain" as const])]
    : ["cordon", "drain"];
  return [
    ...(mayManage && agent.awaitsApproval ? ["approve" as const] : []),
    ...(mayManage ? ["edit" as const] : []),
    ...(mayDeploy && !agent.awaitsApproval ? hold : []),
    ...(mayManage && !agent.embedded ? ["rotate" as const, "revoke" as const] : []),
  ];
}

export function actTitle(agent: Agent, act: AgentAct): string {
  const key: MessageKey = act === "edit"
    ? "agent.edit"
    : act === "uncordon" && agent.drain
    ? "agent.undrain"
    : act === "revoke" && agent.awaitsApproval
    ? "agent.refuse"
    : `agent.${act}`;
  return t(key);
}

export function AgentDialog({ agent, onAct, onClose }: {
  agent: Agent;
  onAct: (act: AgentAct) => void;
  onClose: () => void;
}) {
  const can = { mayManage: useCan("manage"), mayDeploy: useCan("deploy") };
  const { policy, ...facts } = agent.facts;
  const limits = typeof policy === "object" && policy !== null ? Object.entries(policy) : [];
  return (
    <Dialog title={agent.name} onClose={onClose} wide>
      <div class="form" data-agent={agent.id}>
        <AgentState agent={agent} />
        <p class="quiet">{reasonText(agent.reason)}</p>
        <div class="actions" role="group" aria-label={t("agent.acts")}>
          {actsOn(agent, can).map((act) => (
            <Button
              key={act}
              small
              name={act}
              look={act === "revoke" ? "danger" : act === "approve" ? "primary" : "plain"}
              onClick={() => onAct(act)}
            >
              {actTitle(agent, act)}
            </Button>
          ))}
        </div>
        <h3>{t("agent.policy")}</h3>
        {limits.length === 0
          ? <p class="quiet">{t("agent.policy.none")}</p>
          : <Facts rows={limits.map(([name, value]) => [name, valueText(value)])} />}
        <h3>{t("agent.facts")}</h3>
        <Facts
          rows={[
            ...factRows(facts),
            ...Object.entries(agent.versions),
            ...(agent.keys
              ? [[
                t("agent.keys"),
                instantText(agent.keys.since) + (agent.keys.isRenewalWanted ? ` · ${t("agent.keys.asked")}` : ""),
              ] as [string, string]]
              : []),
          ]}
        />
      </div>
    </Dialog>
  );
}

function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="mono">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
