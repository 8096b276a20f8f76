import type { CommitStatus } from "../../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../../app_context.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { createList } from "../../models/list_model.ts";
import { shortCommit } from "../../text/text_parts.ts";
import { Button } from "../Button.tsx";
import { Card, Loaded } from "../Page.tsx";
import { Status } from "../Status.tsx";
import { Ago } from "../Times.tsx";

/** What the provider was told of commits; nothing at all where nobody gave a token for it. */
export function StatusesCard({ repositoryId }: { repositoryId: string }) {
  const { api, feed, toasts } = useApp();
  const mayResend = useCan("deploy");
  const path = `/repositories/${repositoryId}/statuses`;
  const statuses = useModel(
    () => createList<CommitStatus>({ api, feed, path, topics: ["repositories"] }),
    [repositoryId],
  );
  const resend = (id: string) =>
    api.send("POST", `${path}/${id}/resend`).then(() => statuses.reload()).catch(toasts.problem);
  return (
    <Loaded resource={statuses}>
      {(page) =>
        page.items.length > 0 && (
          <Card title={t("statuses.title")} flush>
            <ul class="deliveries">
              {page.items.map((status) => (
                <li key={status.id} data-commit-status={status.context} data-state={status.status}>
                  <div class="delivery-line">
                    <Status kind="delivery" state={status.status} />
                    <span class="delivery-what">
                      <b>{status.context}</b> <span class="mono">{shortCommit(status.commit)}</span>
                    </span>
                    <span class="delivery-reason">
                      {status.description} <span class="quiet">{reasonText(status.reason)}</span>
                    </span>
                    <span class="quiet">
                      <Ago at={status.changedAt} />
                    </span>
                    {mayResend && status.status !== "sending" && (
                      <Button
                        small
                        look="ghost"
                        icon="retry"
                        name="resend"
                        onClick={() => resend(status.id)}
                      >
                        {t("statuses.again")}
                      </Button>
                    )}
                  </div>
                </li>
              ))}
            </ul>
            {page.nextCursor && (
              <div class="more">
                <Button small onClick={() => statuses.more().catch(toasts.problem)}>{t("more")}</Button>
              </div>
            )}
          </Card>
        )}
    </Loaded>
  );
}
