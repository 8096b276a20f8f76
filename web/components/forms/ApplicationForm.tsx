import { useState } from "preact/hooks";
import { useApp } from "../../app_context.ts";
import { t, tState } from "../../i18n/locale.ts";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { SelectField, TextField } from "../Field.tsx";

export function ApplicationForm({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { api, toasts } = useApp();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [type, setType] = useState("microservice");
  return (
    <Dialog title={t("application.add")} onClose={onClose}>
      <DialogForm
        submit={t("create")}
        isReady={name !== ""}
        onClose={onClose}
        act={async () => {
          await api.send("POST", "/applications", { name, description, type });
          toasts.done(t("toast.created", { what: name }));
          onDone();
          onClose();
        }}
      >
        <p class="quiet">{t("application.add.hint")}</p>
        <TextField label={t("column.name")} value={name} onValue={setName} required mono placeholder="order-service" />
        <SelectField
          label={t("column.type")}
          value={type}
          onValue={setType}
          options={["microservice", "monolith"].map((value) => ({ value, text: tState("type", value) }))}
        />
        <TextField label={t("column.description")} value={description} onValue={setDescription} rows={2} />
      </DialogForm>
    </Dialog>
  );
}
