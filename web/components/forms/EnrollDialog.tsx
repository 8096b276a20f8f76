/** Makes a join token and shows, once, the line to paste on the machine. */
import { useState } from "preact/hooks";
import type { CreatedEnrollmentToken as Created } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { parseLabels } from "../../text/text_parts.ts";
import { Button } from "../Button.tsx";
import { CopyLine } from "../CopyLine.tsx";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { CheckField, SelectField, TextField } from "../Field.tsx";
import { EnvironmentChoice } from "./AgentForm.tsx";

const HOUR = 3600;

export function EnrollDialog({ onClose }: { onClose: () => void }) {
  const { api } = useApp();
  const [uses, setUses] = useState("1");
  const [expiresIn, setExpiresIn] = useState(String(HOUR));
  const [labels, setLabels] = useState("");
  const [environments, setEnvironments] = useState<string[]>([]);
  const [approveFirst, setApproveFirst] = useState(false);
  const [made, setMade] = useState<Created>();
  const parsed = parseLabels(labels);
  if (made) {
    return (
      <Dialog title={t("enroll.title")} onClose={onClose} wide>
        <div class="form" data-enrollment={made.id}>
          <p>{t("enroll.paste")}</p>
          <CopyLine text={made.line} label={t("enroll.line")} />
          <p class="quiet">{t("enroll.once", { count: made.usesLeft })}</p>
          <p class="quiet">{t(made.approveFirst ? "enroll.then.approve" : "enroll.then")}</p>
          <footer class="dialog-foot">
            <Button look="primary" onClick={onClose}>{t("done")}</Button>
          </footer>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("enroll.title")} onClose={onClose}>
      <DialogForm
        submit={t("enroll.make")}
        isReady={parsed !== undefined && Number(uses) >= 1 && environments.length > 0}
        onClose={onClose}
        act={async () => {
          const created = await api.send<Created>("POST", "/enrollment-tokens", {
            uses: Number(uses),
            expiresIn: Number(expiresIn),
            labels: parsed,
            environments,
            approveFirst,
          });
          setMade(created);
        }}
      >
        <p class="quiet">{t("enroll.lead")}</p>
        <EnvironmentChoice chosen={environments} onChange={setEnvironments} />
        <TextField
          label={t("agent.labels")}
          value={labels}
          onValue={setLabels}
          hint={t("labels.hint")}
          mono
          placeholder="role=order, rack=b2"
        />
        <div class="field-row">
          <TextField label={t("enroll.uses")} type="number" value={uses} onValue={setUses} />
          <SelectField
            label={t("enroll.expires")}
            value={expiresIn}
            onValue={setExpiresIn}
            options={[
              { value: String(HOUR), text: t("enroll.hour") },
              { value: String(24 * HOUR), text: t("enroll.day") },
              { value: String(7 * 24 * HOUR), text: t("enroll.week") },
            ]}
          />
        </div>
        <CheckField checked={approveFirst} onChecked={setApproveFirst}>{t("enroll.approve")}</CheckField>
      </DialogForm>
    </Dialog>
  );
}
