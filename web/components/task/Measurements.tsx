/** What a gate measured, newest first, as it measures. */
import type { Measurement, Task } from "../../../protocol/http_api.ts";
import { withQuery } from "../../api/api_client.ts";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createResource } from "../../models/create_resource.ts";
import type { Page } from "../../models/reduce_live.ts";
import { Loaded } from "../Page.tsx";
import { Ago } from "../Times.tsx";

const SHOWN = 50;
const TONES: Record<Measurement["verdict"], string> = {
  pass: "success",
  fail: "danger",
  no_data: "warning",
  error: "warning",
};

export function Measurements({ task }: { task: Task }) {
  const { api, feed } = useApp();
  const measured = useModel(() =>
    createResource<Page<Measurement>>({
      feed,
      topics: [`deployment:${task.deploymentId}`],
      load: () => api.get(withQuery(`/tasks/${task.id}/measurements`, { limit: SHOWN })),
      reduce: (_, event) =>
        event.type === "tasks" && event.tasks.some((one) => one.id === task.id) ? "reload" : undefined,
    }), [task.id]);
  return (
    <div class="measurements" data-measurements={task.name}>
      <Loaded resource={measured}>
        {({ items }) =>
          items.length === 0 ? <p class="log-note">{t("gate.nothing")}</p> : (
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">#</th>
                  <th scope="col">{t("gate.when")}</th>
                  <th scope="col">{t("gate.verdict")}</th>
                  <th scope="col">{t("gate.value")}</th>
                  <th scope="col">{t("gate.note")}</th>
                </tr>
              </thead>
              <tbody>
                {items.map((one) => (
                  <tr key={one.number} data-verdict={one.verdict}>
                    <td class="figures">{one.number}</td>
                    <td>
                      <Ago at={one.at} />
                    </td>
                    <td>
                      <span class="status" data-tone={TONES[one.verdict]}>{t(`gate.${one.verdict}`)}</span>
                    </td>
                    <td class="figures">{one.value ?? "–"}</td>
                    <td>{one.note}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
      </Loaded>
    </div>
  );
}
