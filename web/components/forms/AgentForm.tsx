import { useEffect, useState } from "preact/hooks";
import type { Agent, Environment } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { readAll } from "../../models/list_model.ts";
import { labelsText, parseLabels } from "../../text/text_parts.ts";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { CheckField, TextField } from "../Field.tsx";

/** An agent takes work only of environments it is bound to; both are the master's word, never the machine's. */
export function AgentForm({ agent, onClose, onDone }: { agent: Agent; onClose: () => void; onDone: () => void }) {
  const { api, toasts } = useApp();
  const [labels, setLabels] = useState(labelsText(agent.labels));
  const [chosen, setChosen] = useState(agent.environments.map((e) => e.id));
  const parsed = parseLabels(labels);
  return (
    <Dialog title={agent.name} onClose={onClose}>
      <DialogForm
        submit={t("save")}
        isReady={parsed !== undefined}
        onClose={onClose}
        act={async () => {
          await api.send("PATCH", `/agents/${agent.id}`, { labels: parsed, environments: chosen });
          toasts.done(t("toast.saved", { what: agent.name }));
          onDone();
          onClose();
        }}
      >
        <TextField label={t("agent.labels")} value={labels} onValue={setLabels} hint={t("labels.hint")} mono />
        <EnvironmentChoice chosen={chosen} onChange={setChosen} />
      </DialogForm>
    </Dialog>
  );
}

export function EnvironmentChoice({ chosen, onChange }: { chosen: string[]; onChange: (ids: string[]) => void }) {
  const { api, toasts } = useApp();
  const [all, setAll] = useState<Environment[]>([]);
  useEffect(() => void readAll<Environment>(api, "/environments").then(setAll, toasts.problem), []);
  return (
    <fieldset>
      <legend>{t("nav.environments")}</legend>
      {all.map(({ id, name, type }) => (
        <CheckField
          key={id}
          checked={chosen.includes(id)}
          onChecked={(on) => onChange(on ? [...chosen, id] : chosen.filter((other) => other !== id))}
        >
          {name} <small class="quiet">{type}</small>
        </CheckField>
      ))}
    </fieldset>
  );
}
