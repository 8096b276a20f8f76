import type { Agent } from "../../../protocol/http_api.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { Status } from "../Status.tsx";

/** Connected or not, and why it is given nothing when that is so. */
export function AgentState({ agent }: { agent: Agent }) {
  const held = agent.awaitsApproval
    ? t("agent.waits")
    : agent.drain
    ? agent.drain.drainedAt ? t("agent.drained") : t("agent.draining", { count: agent.busySlots })
    : agent.cordoned
    ? t("agent.cordoned")
    : undefined;
  return (
    <span class="stacked agent-state" title={reasonText(agent.reason)}>
      <Status kind="agent" state={agent.status} />
      {held && agent.status !== "revoked" && <span class="tag" data-tone="warning">{held}</span>}
    </span>
  );
}
