import { useApp } from "../app_context.ts";
import { t } from "../i18n/locale.ts";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";

export function ToastList() {
  const { toasts } = useApp();
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.shown.value.map((toast) => (
        <div key={toast.id} class="toast" data-tone={toast.kind === "done" ? "success" : "danger"}>
          <Icon name={toast.kind === "done" ? "success" : "warning"} />
          <span>{toast.text}</span>
          <Button
            look="ghost"
            small
            icon="close"
            label={t("close")}
            onClick={() =>
              toasts.close(toast.id)}
          />
        </div>
      ))}
    </div>
  );
}
