import { useState } from "preact/hooks";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { TextField } from "../Field.tsx";

/** A version without a repository: a name and the applications it contains, for scripts, trials and mock environments. */
export function VersionForm({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { api, toasts } = useApp();
  const [version, setVersion] = useState("");
  const [names, setNames] = useState("");
  const [description, setDescription] = useState("");
  const applications = names.split(/[\s,]+/).filter(Boolean);
  return (
    <Dialog title={t("version.add")} onClose={onClose}>
      <DialogForm
        submit={t("create")}
        isReady={version !== "" && applications.length > 0}
        onClose={onClose}
        act={async () => {
          const appBuilds = Object.fromEntries(applications.map((name) => [name, {}]));
          await api.send("POST", "/versions", { version, description, appBuilds });
          toasts.done(t("toast.created", { what: version }));
          onDone();
          onClose();
        }}
      >
        <TextField
          label={t("column.version")}
          value={version}
          onValue={setVersion}
          required
          mono
          placeholder="v1.4.0"
        />
        <TextField
          label={t("nav.applications")}
          value={names}
          onValue={setNames}
          required
          hint={t("version.applications.hint")}
        />
        <TextField label={t("column.description")} value={description} onValue={setDescription} rows={2} />
      </DialogForm>
    </Dialog>
  );
}
