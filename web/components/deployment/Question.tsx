/** What failed and how it may go on, while the deployment asks. */
import { useState } from "preact/hooks";
import type { DeploymentWithTasks, Task } from "../../../protocol/http_api.ts";
import { useApp, useCan } from "../../app_context.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { choicesFor, questionsOf } from "../../models/questions.ts";
import type { Choice } from "../../models/questions.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog } from "../Dialog.tsx";
import { Card } from "../Page.tsx";

export function Question({ deployment }: { deployment: DeploymentWithTasks }) {
  const { api } = useApp();
  const mayDecide = useCan("deploy");
  const [asked, setAsked] = useState<{ task: Task; choice: Choice }>();
  const failed = questionsOf(deployment, deployment.tasks);
  if (failed.length === 0) return null;
  return (
    <Card title={t("question.title")}>
      <ul class="plain" data-question>
        {failed.map((task) => (
          <li key={task.id} class="question">
            <p>
              <strong>{sayWhole(deployment.tasks, task)}{task.name}</strong> {reasonText(task.reason)}
            </p>
            {mayDecide && (
              <div class="actions" role="group" aria-label={t("question.about", { task: task.name })}>
                {choicesFor(task).map((choice) => (
                  <Button
                    key={choice}
                    small
                    look={choice === "fail" ? "danger" : "plain"}
                    name={`decide-${choice}`}
                    onClick={() => setAsked({ task, choice })}
                  >
                    {t(`question.do.${choice}`)}
                  </Button>
                ))}
              </div>
            )}
          </li>
        ))}
      </ul>
      {asked && (
        <ConfirmDialog
          title={t(`question.do.${asked.choice}`)}
          text={t(`question.ask.${asked.choice}`, { task: asked.task.name })}
          submit={t(`question.do.${asked.choice}`)}
          danger={asked.choice === "fail"}
          withNote="optional"
          act={(note) =>
            api.send("POST", `/tasks/${asked.task.id}/decide`, { choice: asked.choice, ...(note && { note }) })}
          onClose={() => setAsked(undefined)}
        />
      )}
    </Card>
  );
}

/** A machine's name alone does not say what failed on it. */
function sayWhole(tasks: readonly Task[], task: Task): string {
  const whole = tasks.find((other) => other.id === task.parentId);
  return whole && whole.name !== task.name ? `${whole.name} / ` : "";
}
