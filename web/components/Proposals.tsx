import type { ComponentChildren } from "preact";
import type { Application } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { t } from "../i18n/locale.ts";
import { createResource } from "../models/create_resource.ts";
import { reloadOnChange } from "../models/reduce_live.ts";
import { repositoryName } from "../text/text_parts.ts";
import { Button } from "./Button.tsx";
import { Card, Loaded } from "./Page.tsx";

interface Items {
  items: Application[];
}

/** What repositories propose, for a person to decide; and what they no longer declare, with what still runs of it. */
export function Proposals({ onChange }: { onChange: () => void }) {
  const { api, feed, toasts } = useApp();
  const mayDecide = useCan("deploy");
  const of = (state: string) =>
    createResource<Items>({
      feed,
      topics: ["applications"],
      load: () => api.get(`/applications?state=${state}&limit=200`),
      reduce: reloadOnChange,
    });
  const proposed = useModel(() => of("proposed"), []);
  const archived = useModel(() => of("archived"), []);
  const settle = async (id: string, act: "approve" | "dismiss") => {
    try {
      await api.send("POST", `/applications/${id}/${act}`, {});
      await proposed.reload();
      onChange();
    } catch (error: unknown) {
      toasts.problem(error);
    }
  };
  return (
    <>
      <Loaded resource={proposed}>
        {({ items }) =>
          items.length > 0 && (
            <Card title={t("proposals.title")} flush>
              <p class="card-note">{t("proposals.hint")}</p>
              <Rows items={items}>
                {(app) =>
                  mayDecide && (
                    <div class="actions">
                      <Button small look="primary" name="approve" onClick={() => settle(app.id, "approve")}>
                        {t("proposals.approve")}
                      </Button>
                      <Button small name="dismiss" onClick={() => settle(app.id, "dismiss")}>
                        {t("proposals.dismiss")}
                      </Button>
                    </div>
                  )}
              </Rows>
            </Card>
          )}
      </Loaded>
      <Loaded resource={archived}>
        {({ items }) =>
          items.length > 0 && (
            <Card title={t("archived.title")} flush>
              <Rows items={items}>
                {(app) => (
                  <span class="quiet">
                    {app.running > 0 ? t("archived.runs", { count: app.running }) : t("archived.still")}
                  </span>
                )}
              </Rows>
            </Card>
          )}
      </Loaded>
    </>
  );
}

function Rows({ items, children }: { items: Application[]; children: (app: Application) => ComponentChildren }) {
  return (
    <table class="table">
      <tbody>
        {items.map((app) => (
          <tr key={app.id} data-application={app.name}>
            <td>
              <a class="stacked" href={`/applications/${app.id}`}>
                <b>{app.name}</b>
                <small>{app.repository && repositoryName(app.repository)}</small>
              </a>
            </td>
            <td class="end">{children(app)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
