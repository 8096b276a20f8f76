/** The plan in waves: what stands in one wave may run at once. */
import type { Preview } from "../../../protocol/http_api.ts";
import { t } from "../../i18n/locale.ts";
import { planWaves } from "../../models/plan_waves.ts";

export function PlanPreview({ preview }: { preview: Preview }) {
  const waves = planWaves(preview.tasks);
  if (waves.length === 0) return <p class="quiet">{t("deploy.nothing")}</p>;
  return (
    <ol class="waves" data-waves={waves.length}>
      {waves.map((wave, at) => (
        <li key={at}>
          {wave.map(({ task, parts }) => (
            <div key={task.key} class="wave-task">
              <b>{task.name}</b>
              {task.target && <span class="quiet">→ {task.target}</span>}
              {task.action && <span class="tag">{t(`plan.${task.action}`)}</span>}
              {parts.length > 0 && <small class="quiet">{parts.map((part) => part.name).join(", ")}</small>}
            </div>
          ))}
        </li>
      ))}
    </ol>
  );
}
