/** What is frozen in an environment now and next, and freezing it by hand. */
import { useState } from "preact/hooks";
import type { Freeze } from "../../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../../app_context.ts";
import { roleText, t } from "../../i18n/locale.ts";
import { createResource } from "../../models/create_resource.ts";
import { reloadOnChange } from "../../models/reduce_live.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog, Dialog, DialogForm } from "../Dialog.tsx";
import { Card, Loaded } from "../Page.tsx";
import { Ago } from "../Times.tsx";

export function Freezes({ environmentId }: { environmentId: string }) {
  const { api, feed } = useApp();
  const mayFreeze = useCan("deploy");
  const [makes, setMakes] = useState(false);
  const [ends, setEnds] = useState<Freeze>();
  const freezes = useModel(() =>
    createResource<{ items: Freeze[] }>({
      feed,
      topics: ["environments"],
      load: () => api.get(`/freezes?environmentId=${environmentId}`),
      reduce: reloadOnChange,
    }), [environmentId]);
  const isOver = () => void freezes.reload();
  return (
    <Card
      title={t("freeze.title")}
      actions={mayFreeze && <Button small name="freeze" onClick={() => setMakes(true)}>{t("freeze.do")}</Button>}
    >
      <Loaded resource={freezes}>
        {({ items }) =>
          items.length === 0 ? <p class="quiet">{t("freeze.none")}</p> : (
            <ul class="plain" data-freezes>
              {items.map((one, at) => (
                <li key={one.id ?? at}>
                  <p>
                    <strong>{t(one.isActive ? "freeze.now" : "freeze.next")}</strong>{" "}
                    {one.from && <Ago at={one.from} />}
                    {" – "}
                    {one.until && <Ago at={one.until} />}
                    {one.cron && <span class="mono">{` ${one.cron} (${one.for}, ${one.tz})`}</span>}
                  </p>
                  <p class="quiet">
                    {one.createdBy && `${one.createdBy}: `}
                    {one.reason}
                  </p>
                  <p class="quiet">
                    {one.applications && t("freeze.only", { list: one.applications.join(", ") })}{" "}
                    {t("freeze.override", { role: roleText(one.overrideRole ?? "admin") })}
                  </p>
                  {mayFreeze && one.id && (
                    <Button small name="thaw" onClick={() => setEnds(one)}>{t("freeze.end")}</Button>
                  )}
                </li>
              ))}
            </ul>
          )}
      </Loaded>
      {makes && <FreezeDialog environmentId={environmentId} onClose={() => setMakes(false)} onDone={isOver} />}
      {ends && (
        <ConfirmDialog
          title={t("freeze.end")}
          text={t("freeze.end.ask")}
          submit={t("freeze.end")}
          withNote="required"
          act={async (reason) => {
            await api.send("POST", `/freezes/${ends.id}/end`, { reason });
            isOver();
          }}
          onClose={() => setEnds(undefined)}
        />
      )}
    </Card>
  );
}

function FreezeDialog(
  { environmentId, onClose, onDone }: { environmentId: string; onClose: () => void; onDone: () => void },
) {
  const { api, toasts } = useApp();
  const [until, setUntil] = useState("");
  const [reason, setReason] = useState("");
  const [role, setRole] = useState("");
  return (
    <Dialog title={t("freeze.do")} onClose={onClose}>
      <DialogForm
        submit={t("freeze.do")}
        isReady={until !== "" && reason.trim() !== ""}
        onClose={onClose}
        act={async () => {
          await api.send("POST", "/freezes", {
            environmentId,
            until: new Date(until).toISOString(),
            reason: reason.trim(),
            ...(role.trim() && { overrideRole: role.trim() }),
          });
          toasts.done(t("toast.done", { what: t("freeze.do") }));
          onDone();
          onClose();
        }}
      >
        <p>{t("freeze.ask")}</p>
        <label class="field">
          <span>{t("freeze.until")}</span>
          <input type="datetime-local" required value={until} onInput={(e) => setUntil(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>{t("note.required")}</span>
          <textarea rows={2} maxLength={2000} value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>{t("freeze.role")}</span>
          <input value={role} maxLength={63} onInput={(e) => setRole(e.currentTarget.value)} />
        </label>
      </DialogForm>
    </Dialog>
  );
}
