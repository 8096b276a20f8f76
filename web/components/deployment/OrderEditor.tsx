/** Changes `mustInOrder` of a deployment that has not started; the master plans the graph afresh. */
import { useEffect, useState } from "preact/hooks";
import type { Deployment } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { isSameOrder, startOrder } from "../../models/order_list.ts";
import { Button } from "../Button.tsx";
import { OrderList } from "./OrderList.tsx";

export function OrderEditor({ deployment, onSaved }: { deployment: Deployment; onSaved: () => void }) {
  const { api, toasts } = useApp();
  const saved = startOrder(deployment.applications, deployment.mustInOrder);
  const [choice, setChoice] = useState(saved);
  const [busy, setBusy] = useState(false);
  // Somebody else may change it meanwhile: their order replaces what was here.
  useEffect(() => setChoice(saved), [deployment.mustInOrder.join("\n"), deployment.applications.join("\n")]);
  const isChanged = !isSameOrder(choice.ordered, saved.ordered);
  const save = async () => {
    setBusy(true);
    try {
      await api.send("PATCH", `/deployments/${deployment.id}`, { mustInOrder: choice.ordered });
      toasts.done(t("order.saved"));
      onSaved();
    } catch (error: unknown) {
      toasts.problem(error);
    }
    setBusy(false);
  };
  return (
    <div class="order-editor">
      <p class="quiet">{t("order.lead")}</p>
      <OrderList choice={choice} onChange={setChoice} />
      <div class="actions">
        <Button look="primary" disabled={!isChanged || busy} onClick={save} name="save-order">{t("order.save")}</Button>
        <Button disabled={!isChanged || busy} onClick={() => setChoice(saved)}>{t("order.undo")}</Button>
      </div>
    </div>
  );
}
