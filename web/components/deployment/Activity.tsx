/** What happened, newest first: every change of state with its reason, retries and lost leases too. */
import type { DeploymentWithTasks, TimelineEntry } from "../../../protocol/http_api.ts";
import { useApp, useModel } from "../../app_context.ts";
import { reasonText, t, tState } from "../../i18n/locale.ts";
import { createTimeline } from "../../models/deployment_model.ts";
import { setQuery } from "../../router.ts";
import { partName } from "../../text/part_name.ts";
import { Loaded } from "../Page.tsx";
import { Status } from "../Status.tsx";
import { Ago } from "../Times.tsx";

const stateOf = (entry: TimelineEntry) => entry.kind.split(".").at(-1)!;

export function Activity({ deployment }: { deployment: DeploymentWithTasks }) {
  const { api, feed } = useApp();
  const timeline = useModel(() => createTimeline(api, feed, deployment.id), [deployment.id]);
  const names = new Map(deployment.tasks.map((task) => [task.id, partName(task)]));
  return (
    <Loaded resource={timeline}>
      {(entries) => (
        <ol class="story">
          {entries.toReversed().map((entry) => {
            const kind = entry.taskId ? "task" : "deployment";
            return (
              <li key={entry.id} data-kind={entry.kind}>
                <Status kind={kind} state={stateOf(entry)} compact />
                <span class="story-name">
                  {entry.taskId
                    ? (
                      <button
                        type="button"
                        class="as-link"
                        onClick={() => setQuery({ task: entry.taskId!, view: "task" })}
                      >
                        {names.get(entry.taskId) ?? entry.name}
                      </button>
                    )
                    : <b>{t("column.deployment")}</b>}
                  <span class="quiet">{tState(kind, stateOf(entry))}</span>
                </span>
                <span class="story-text">{reasonText(entry.reason)}</span>
                <span class="quiet">
                  <Ago at={entry.at} />
                </span>
              </li>
            );
          })}
        </ol>
      )}
    </Loaded>
  );
}
