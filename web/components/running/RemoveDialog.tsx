/** Takes an application away from an environment: says what would go, and asks for its name. */
import { useEffect, useState } from "preact/hooks";
import type { Deployment, Preview } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { problemText } from "../../models/toast_model.ts";
import { navigate } from "../../router.ts";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { TextField } from "../Field.tsx";

export function RemoveDialog(
  { application, environmentId, environment, onClose }: {
    application: string;
    environmentId: string;
    environment: string;
    onClose: () => void;
  },
) {
  const { api } = useApp();
  const [typed, setTyped] = useState("");
  const [note, setNote] = useState("");
  const [preview, setPreview] = useState<Preview>();
  const [problem, setProblem] = useState<unknown>();
  const removal = { environmentId, applications: [application] };
  useEffect(() => {
    api.send<Preview>("POST", "/deployments/removals/preview", removal).then(setPreview, setProblem);
  }, []);
  const targets = [...new Set(preview?.tasks.flatMap((task) => task.target ?? []))].join(", ");
  const act = async () => {
    const body = { ...removal, start: true, ...(note.trim() && { note: note.trim() }) };
    const made = await api.send<Deployment>("POST", "/deployments/removals", body);
    onClose();
    navigate(`/deployments/${made.id}`);
  };
  return (
    <Dialog title={t("removal.title", { applications: application, environment })} onClose={onClose}>
      <DialogForm
        submit={t("removal.submit")}
        look="danger"
        isReady={preview !== undefined && typed.trim() === application}
        act={act}
        onClose={onClose}
      >
        {problem !== undefined && <p class="problem" role="alert">{problemText(problem)}</p>}
        {preview && <p>{targets ? t("removal.where", { targets }) : t("removal.here")}</p>}
        <p>{t("removal.after", { environment })}</p>
        <TextField label={t("removal.type", { application })} value={typed} onValue={setTyped} />
        <TextField label={t("note.optional")} value={note} onValue={setNote} />
      </DialogForm>
    </Dialog>
  );
}
