import { useState } from "preact/hooks";
import type { Environment } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { t, tState } from "../../i18n/locale.ts";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { CheckField, SelectField, TextField } from "../Field.tsx";

/** Makes an environment, or changes what may be changed of one. */
export function EnvironmentForm({ environment, onClose, onDone }: {
  environment?: Environment;
  onClose: () => void;
  onDone: () => void;
}) {
  const { api, toasts } = useApp();
  const [name, setName] = useState("");
  const [type, setType] = useState<string>("pm");
  const [region, setRegion] = useState(environment?.region ?? "");
  const [isActive, setActive] = useState(environment?.status !== "inactive");
  const status = isActive ? "active" : "inactive";
  return (
    <Dialog title={t(environment ? "environment.edit" : "environment.add")} onClose={onClose}>
      <DialogForm
        submit={t(environment ? "save" : "create")}
        isReady={environment !== undefined || name !== ""}
        onClose={onClose}
        act={async () => {
          if (environment) await api.send("PATCH", `/environments/${environment.id}`, { region, status });
          else await api.send("POST", "/environments", { name, type, region, status });
          toasts.done(t(environment ? "toast.saved" : "toast.created", { what: environment?.name ?? name }));
          onDone();
          onClose();
        }}
      >
        {!environment && (
          <>
            <TextField label={t("column.name")} value={name} onValue={setName} required mono placeholder="staging" />
            <SelectField
              label={t("column.type")}
              value={type}
              onValue={setType}
              options={["pm", "k8s", "mock"].map((value) => ({ value, text: tState("type", value) }))}
            />
          </>
        )}
        <TextField label={t("column.region")} value={region} onValue={setRegion} />
        <CheckField checked={isActive} onChecked={setActive}>{t("environment.is.active")}</CheckField>
      </DialogForm>
    </Dialog>
  );
}
