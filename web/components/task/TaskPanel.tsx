/** Everything about one task: why it is as it is, what blocks it, where it ran, its last words, its log. */
import { useState } from "preact/hooks";
import type { Deployment, Task } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { reasonText, t, tState } from "../../i18n/locale.ts";
import { plainText } from "../../log/ansi.ts";
import { taskActions } from "../../models/actions.ts";
import type { TaskAction } from "../../models/actions.ts";
import { taskState } from "../../models/state_look.ts";
import { partName } from "../../text/part_name.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog } from "../Dialog.tsx";
import { LogViewer } from "../log/LogViewer.tsx";
import { Facts } from "../Page.tsx";
import { Status } from "../Status.tsx";
import { Ago, RunTime } from "../Times.tsx";
import { Measurements } from "./Measurements.tsx";
import { Parts } from "./Parts.tsx";

const KEEPS_A_LOG = ["deploy", "apply", "hook", "rollback"];

export function TaskPanel({ task, tasks, deployment, onSelect }: {
  task: Task;
  tasks: Task[];
  deployment: Deployment;
  onSelect: (id: string) => void;
}) {
  const parts = tasks.filter((other) => other.parentId === task.id);
  const parent = tasks.find((other) => other.id === task.parentId);
  const state = taskState(task);
  /** Its agent measures, and tells at the end. */
  const isScriptGate = task.payload.action === "gate";
  return (
    <section class="task-panel" aria-label={task.name} data-panel={task.name}>
      <div class="task-facts">
        <header>
          {parent && <button type="button" class="crumb" onClick={() => onSelect(parent.id)}>{parent.name} /</button>}
          <h2>{partName(task)}</h2>
          <Status kind="task" state={state} />
        </header>
        <p class="task-reason">{reasonText(task.reason)}</p>
        <Acts task={task} deployment={deployment} />
        {task.blockedBy.length > 0 && <BlockedBy task={task} onSelect={onSelect} />}
        {state === "failed" && <LastLines task={task} />}
        <Facts
          items={[
            [t("task.type"), tState("type", task.type)],
            [t("task.agent"), task.agent && <a href="/agents">{task.agent}</a>],
            [t("task.attempt"), task.attempt > 0 && <span class="figures">{task.attempt}</span>],
            [t("task.started"), task.startedAt && <Ago at={task.startedAt} />],
            [t("task.duration"), task.startedAt && <RunTime of={task} />],
            [t("task.completed"), task.completedAt && <Ago at={task.completedAt} />],
          ]}
        />
        {isScriptGate && task.step === "completed" && <Measurements key={task.id} task={task} />}
      </div>
      {parts.length > 0
        ? <Parts task={task} parts={parts} deployment={deployment} onSelect={onSelect} />
        : KEEPS_A_LOG.includes(task.type) || isScriptGate
        ? <LogViewer key={task.id} task={task} />
        : task.payload.gate
        ? <Measurements key={task.id} task={task} />
        : <p class="log-note">{t("log.no.output")}</p>}
    </section>
  );
}

function Acts({ task, deployment }: { task: Task; deployment: Deployment }) {
  const { api, session } = useApp();
  const [asked, setAsked] = useState<TaskAction>();
  const actions = taskActions(task, deployment, session.base.value);
  if (actions.length === 0) return null;
  return (
    <div class="actions">
      {actions.map((action) => (
        <Button
          key={action}
          small
          icon={action === "retry" ? "retry" : "stop"}
          name={`task-${action}`}
          onClick={() => setAsked(action)}
        >
          {t(`task.do.${action}`)}
        </Button>
      ))}
      {asked && (
        <ConfirmDialog
          title={t(`task.do.${asked}`)}
          text={t(`task.ask.${asked}`, { name: partName(task) })}
          submit={t(`task.do.${asked}`)}
          danger={asked === "cancel"}
          withNote="optional"
          act={(note) => api.send("POST", `/tasks/${task.id}/${asked}`, note ? { note } : {})}
          onClose={() => setAsked(undefined)}
        />
      )}
    </div>
  );
}

function BlockedBy({ task, onSelect }: { task: Task; onSelect: (id: string) => void }) {
  return (
    <div class="blocked-by">
      <h3>{t("task.blocked.by")}</h3>
      <ul>
        {task.blockedBy.map((one) => (
          <li key={one.id}>
            <button type="button" class="as-link" onClick={() => onSelect(one.id)}>{one.name}</button>
            <Status kind="task" state={one.status} />
            <span class="quiet">
              <Ago at={one.since} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What the application itself printed before it failed: the agent sends it along with the result. */
function LastLines({ task }: { task: Task }) {
  const lines = task.result?.lastLines;
  if (!Array.isArray(lines) || lines.length === 0) return null;
  return (
    <details class="last-lines" open>
      <summary>{t("task.last.lines", { count: lines.length })}</summary>
      <pre>{lines.slice(-12).map((line) => plainText(String(line))).join("\n")}</pre>
    </details>
  );
}
