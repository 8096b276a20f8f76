import type { TriggerRun } from "../../../protocol/http_api.ts";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createList } from "../../models/list_model.ts";
import { Empty, Loaded } from "../Page.tsx";
import { RunRows } from "./RunRows.tsx";

/** Why each trigger did or did not fire for one delivery, or for one version. */
export function RunsOf({ deliveryId, versionId }: { deliveryId?: string; versionId?: string }) {
  const { api, feed } = useApp();
  const list = useModel(
    () =>
      createList<TriggerRun>({
        api,
        feed,
        path: "/trigger-runs",
        query: { deliveryId, versionId },
        topics: ["triggers"],
      }),
    [deliveryId, versionId],
  );
  return (
    <Loaded resource={list}>
      {(page) =>
        page.items.length === 0
          ? <Empty icon="triggers" title={t("trigger.runs.none")} />
          : <RunRows runs={page.items} named />}
    </Loaded>
  );
}
