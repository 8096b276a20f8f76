/** The parts of an application's task, batch by batch, and the batch size while it can still be changed. */
import { useEffect, useState } from "preact/hooks";
import type { Deployment, Task } from "../../../protocol/http_api.ts";
import { useApp, useCan } from "../../app_context.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { taskState } from "../../models/state_look.ts";
import { editableBatch, readBatch } from "../../models/waits.ts";
import { partName } from "../../text/part_name.ts";
import { Button } from "../Button.tsx";
import { Status } from "../Status.tsx";
import { RunTime } from "../Times.tsx";

export function Parts({ task, parts, deployment, onSelect }: {
  task: Task;
  parts: Task[];
  deployment: Deployment;
  onSelect: (id: string) => void;
}) {
  const hasBatches = parts.some((part) => batchOf(part) !== undefined && batchOf(part)! > 1);
  const batch = editableBatch(task, parts, deployment.status);
  const mayEdit = useCan("deploy") && batch !== undefined;
  return (
    <div class="task-parts">
      {mayEdit && <BatchEditor deployment={deployment} batch={batch!} />}
      <table class="table">
        <thead>
          <tr>
            {hasBatches && <th>{t("task.batch")}</th>}
            <th>{t("task.part")}</th>
            <th>{t("column.status")}</th>
            <th>{t("column.reason")}</th>
            <th class="end">{t("task.duration")}</th>
          </tr>
        </thead>
        <tbody>
          {parts.map((part, at) => (
            <tr key={part.id} data-batch={batchOf(part)}>
              {hasBatches && (
                <td class="figures">{batchOf(part) !== batchOf(parts[at - 1]) ? batchOf(part) : undefined}</td>
              )}
              <td>
                <button type="button" class="as-link" onClick={() => onSelect(part.id)}>{partName(part)}</button>
              </td>
              <td>
                <Status kind="task" state={taskState(part)} />
              </td>
              <td class="wide">{reasonText(part.reason)}</td>
              <td class="end">
                <RunTime of={part} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const batchOf = (part: Task | undefined) =>
  part?.type === "apply" && typeof part.payload.batch === "number" ? part.payload.batch : undefined;

function BatchEditor({ deployment, batch }: { deployment: Deployment; batch: string }) {
  const { api, toasts } = useApp();
  const [text, setText] = useState(batch);
  const [busy, setBusy] = useState(false);
  useEffect(() => setText(batch), [batch]); // somebody else may have changed it
  const wanted = readBatch(text);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api.send("PATCH", `/deployments/${deployment.id}`, { strategy: { batch: wanted } });
      toasts.done(t("batch.saved"));
    } catch (error: unknown) {
      toasts.problem(error);
    }
    setBusy(false);
  };
  return (
    <form class="batch-editor" onSubmit={save}>
      <label>
        <span>{t("batch.size")}</span>
        <input
          name="batch"
          size={6}
          value={text}
          aria-invalid={wanted === undefined}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <Button type="submit" small name="save-batch" disabled={busy || wanted === undefined || String(wanted) === batch}>
        {t("batch.save")}
      </Button>
      <small class="quiet">{t("batch.hint")}</small>
    </form>
  );
}
