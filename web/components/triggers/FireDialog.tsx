/** Fires a trigger, or shows what that would do. What is not decided yet is followed until it is. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Trigger, TriggerRun } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { navigate } from "../../router.ts";
import { Button } from "../Button.tsx";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { TextField } from "../Field.tsx";
import { Status } from "../Status.tsx";

const LOOK_MS = 1000;

export function FireDialog({ trigger, onClose }: { trigger: Trigger; onClose: () => void }) {
  const { api, toasts } = useApp();
  const [version, setVersion] = useState("");
  const [tried, setTried] = useState<TriggerRun>();
  const isOpen = useRef(true);
  useEffect(() => () => void (isOpen.current = false), []);
  const fire = async (dryRun: boolean): Promise<TriggerRun> => {
    const body = { dryRun, ...(version.trim() && { version: version.trim() }) };
    let run = await api.send<TriggerRun>("POST", `/triggers/${trigger.id}/fire`, body);
    while (run.outcome === "waiting" && isOpen.current) {
      setTried(run); // what it waits for is told; closing the dialog ends the watching, not the run
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      run = await api.get<TriggerRun>(`/trigger-runs/${run.id}`);
    }
    return run;
  };
  return (
    <Dialog title={t("trigger.fire.title", { name: trigger.name })} onClose={onClose}>
      <DialogForm
        submit={t("trigger.fire")}
        isReady={trigger.enabled}
        onClose={onClose}
        act={async () => {
          const run = await fire(false);
          if (run.outcome !== "fired") return setTried(run);
          toasts.done(reasonText(run.reason));
          onClose();
          if (run.deploymentId) navigate(`/deployments/${run.deploymentId}`);
        }}
        more={
          <Button name="dry-run" onClick={() => fire(true).then(setTried, toasts.problem)}>{t("trigger.try")}</Button>
        }
      >
        <p>{t("trigger.fire.text", { environment: trigger.environment })}</p>
        <TextField
          label={t("trigger.fire.version")}
          value={version}
          onValue={setVersion}
          hint={t("trigger.fire.version.hint")}
          mono
        />
        {tried && (
          <p role="status" data-outcome={tried.outcome}>
            <Status kind="trigger" state={tried.outcome} /> {reasonText(tried.reason)}
          </p>
        )}
      </DialogForm>
    </Dialog>
  );
}
