import { useState } from "preact/hooks";
import type { Agent, Upgrade, UpgradeAgent } from "../../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../../app_context.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { createList } from "../../models/list_model.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog } from "../Dialog.tsx";
import { Card } from "../Page.tsx";
import { Status } from "../Status.tsx";

/** The words of tasks say it: an upgrade of a machine is one. */
const WORD: Record<UpgradeAgent["state"], string> = {
  waiting: "pending",
  asked: "running",
  succeeded: "success",
  failed: "failed",
  skipped: "skipped",
  cancelled: "cancelled",
};

/** The upgrade that runs, or ran last and did not succeed; and the button that begins one where versions differ. */
export function UpgradePanel({ agents }: { agents: readonly Agent[] }) {
  const { api, feed, toasts } = useApp();
  const mayManage = useCan("manage");
  const [asks, setAsks] = useState(false);
  const list = useModel(
    () => createList<Upgrade>({ api, feed, path: "/agent-upgrades", topics: ["agents"] }),
    [],
  );
  const latest = list.data.value?.items[0];
  const isOn = latest?.status === "running";
  const shown = latest && latest.status !== "completed" ? latest : undefined;
  const versions = new Set(agents.filter((a) => a.facts.installed === true).map((a) => a.versions.boreas));
  const act = (path: string, body?: unknown) =>
    api.send("POST", path, body).then(() => list.reload()).catch(toasts.problem);
  if (!shown && (!mayManage || versions.size === 0)) return null;
  return (
    <Card
      title={t("upgrade.title")}
      actions={mayManage && (isOn
        ? (
          <Button small name="cancel-upgrade" onClick={() => act(`/agent-upgrades/${latest.id}/cancel`)}>
            {t("upgrade.cancel")}
          </Button>
        )
        : <Button small name="upgrade" onClick={() => setAsks(true)}>{t("upgrade.begin")}</Button>)}
    >
      {shown
        ? (
          <>
            <p>
              <Status kind="deployment" state={shown.status} /> {shown.version}: {reasonText(shown.reason)}
            </p>
            <ul>
              {shown.agents.map((one) => (
                <li key={one.agentId}>
                  <Status kind="task" state={WORD[one.state]} compact /> <b>{one.name}</b> {reasonText(one.reason)}
                </li>
              ))}
            </ul>
          </>
        )
        : <p class="quiet">{t("upgrade.runs", { versions: [...versions].sort().join(", ") })}</p>}
      {asks && (
        <ConfirmDialog
          title={t("upgrade.title")}
          text={t("upgrade.ask")}
          submit={t("upgrade.begin")}
          act={async () => {
            await api.send("POST", "/agents/upgrade", {});
            await list.reload();
          }}
          onClose={() => setAsks(false)}
        />
      )}
    </Card>
  );
}
