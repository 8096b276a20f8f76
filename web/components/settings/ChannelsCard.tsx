/** Who outside is told of what, by which way, and what became of each message. */
import { useState } from "preact/hooks";
import type { Notification, NotificationDelivery } from "../../../protocol/http_api.ts";
import { useApp, useModel } from "../../app_context.ts";
import { reasonText, t } from "../../i18n/locale.ts";
import { createList } from "../../models/list_model.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog, Dialog } from "../Dialog.tsx";
import { Card, Empty, Loaded } from "../Page.tsx";
import { Status } from "../Status.tsx";
import { Ago } from "../Times.tsx";
import { ChannelForm, eventText } from "./ChannelForm.tsx";

const TOPICS = ["notifications"];

export function ChannelsCard() {
  const { api, feed, toasts } = useApp();
  const [adds, setAdds] = useState(false);
  const [shown, setShown] = useState<Notification>();
  const [removed, setRemoved] = useState<Notification>();
  const channels = useModel(() => createList<Notification>({ api, feed, path: "/notifications", topics: TOPICS }), []);
  const test = async (channel: Notification) => {
    try {
      await api.send("POST", `/notifications/${channel.id}/test`);
      setShown(channel);
    } catch (error: unknown) {
      toasts.problem(error);
    }
  };
  return (
    <Card
      title={t("notify.title")}
      flush
      actions={<Button small icon="plus" name="add-channel" onClick={() => setAdds(true)}>{t("notify.add")}</Button>}
    >
      <Loaded resource={channels}>
        {({ items }) =>
          items.length === 0
            ? <Empty icon="settings" title={t("notify.none")}>{t("notify.none.hint")}</Empty>
            : (
              <table class="table">
                <thead>
                  <tr>
                    <th>{t("column.name")}</th>
                    <th>{t("notify.to")}</th>
                    <th>{t("notify.of")}</th>
                    <th>{t("notify.last")}</th>
                    <th />
                  </tr>
                </thead>
                <tbody>
                  {items.map((channel) => (
                    <tr key={channel.id} data-channel={channel.name}>
                      <td>
                        <b>{channel.name}</b> {!channel.enabled && <span class="tag">{t("notify.off")}</span>}
                      </td>
                      <td>
                        <span class="tag">{channel.kind}</span> <span class="mono">{channel.destination}</span>
                      </td>
                      <td class="wide">{channel.rules.map(sayRule).join("; ")}</td>
                      <td title={channel.lastDelivery ? reasonText(channel.lastDelivery.reason) : undefined}>
                        {channel.lastDelivery && (
                          <>
                            <Status kind="delivery" state={channel.lastDelivery.status} />{" "}
                            <Ago at={channel.lastDelivery.createdAt} />
                          </>
                        )}
                      </td>
                      <td class="end">
                        <Button small look="ghost" name="test-channel" onClick={() => test(channel)}>
                          {t("notify.test")}
                        </Button>
                        <Button small look="ghost" name="show-deliveries" onClick={() => setShown(channel)}>
                          {t("notify.deliveries")}
                        </Button>
                        <Button
                          small
                          look="ghost"
                          name="switch-channel"
                          onClick={() =>
                            api.send("PATCH", `/notifications/${channel.id}`, { enabled: !channel.enabled })
                              .then(() => channels.reload()).catch(toasts.problem)}
                        >
                          {t(channel.enabled ? "notify.switch.off" : "notify.switch.on")}
                        </Button>
                        <Button small look="ghost" name="remove-channel" onClick={() => setRemoved(channel)}>
                          {t("remove")}
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
      </Loaded>
      {adds && <ChannelForm onClose={() => setAdds(false)} onDone={() => void channels.reload()} />}
      {shown && <DeliveriesDialog channel={shown} onClose={() => setShown(undefined)} />}
      {removed && (
        <ConfirmDialog
          title={t("remove")}
          text={t("notify.ask.remove", { name: removed.name })}
          submit={t("remove")}
          danger
          act={async () => {
            await api.send("DELETE", `/notifications/${removed.id}`);
            await channels.reload();
          }}
          onClose={() => setRemoved(undefined)}
        />
      )}
    </Card>
  );
}

function sayRule({ events, environments, applications, labels }: Notification["rules"][number]): string {
  const what = events.length === 0 ? t("notify.everything") : events.map(eventText).join(", ");
  const where = [
    ...environments ?? [],
    ...applications ?? [],
    ...Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`),
  ];
  return where.length > 0 ? `${what} (${where.join(", ")})` : what;
}

function DeliveriesDialog({ channel, onClose }: { channel: Notification; onClose: () => void }) {
  const { api, feed, toasts } = useApp();
  const path = `/notifications/${channel.id}/deliveries`;
  const deliveries = useModel(() => createList<NotificationDelivery>({ api, feed, path, topics: TOPICS }), [path]);
  return (
    <Dialog title={t("notify.deliveries.of", { name: channel.name })} onClose={onClose} wide>
      <Loaded resource={deliveries}>
        {({ items, nextCursor }) => (
          <>
            {items.length === 0 && <Empty icon="settings" title={t("notify.deliveries.none")} />}
            <ul class="deliveries">
              {items.map((delivery) => (
                <li key={delivery.id} data-delivery={delivery.id} data-state={delivery.status}>
                  <div class="delivery-line">
                    <Status kind="delivery" state={delivery.status} />
                    <span class="delivery-what">
                      <b>{eventText(delivery.event)}</b>{" "}
                      {delivery.count > 1 ? t("notify.count", { count: delivery.count }) : delivery.names[0]}
                    </span>
                    <span class="delivery-reason">{reasonText(delivery.reason)}</span>
                    <span class="quiet">
                      <Ago at={delivery.createdAt} />
                    </span>
                    <Button
                      small
                      look="ghost"
                      icon="retry"
                      name="redeliver"
                      onClick={() =>
                        api.send("POST", `${path}/${delivery.id}/redeliver`).then(() => deliveries.reload()).catch(
                          toasts.problem,
                        )}
                    >
                      {t("delivery.again")}
                    </Button>
                  </div>
                </li>
              ))}
            </ul>
            {nextCursor && (
              <div class="more">
                <Button small onClick={() => deliveries.more().catch(toasts.problem)}>{t("more")}</Button>
              </div>
            )}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}
