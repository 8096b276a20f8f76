/** What the deployment waits for just now: time between batches, a release that is watched, machines that are away. */
import { useState } from "preact/hooks";
import type { DeploymentWithTasks } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { reasonText, t, timeWords } from "../../i18n/locale.ts";
import { mayPromote, maySkip, waitsOf } from "../../models/waits.ts";
import type { Wait } from "../../models/waits.ts";
import { now } from "../../text/now.ts";
import { durationText } from "../../text/time_text.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog } from "../Dialog.tsx";
import { Icon } from "../Icon.tsx";
import type { IconName } from "../icon_paths.ts";

const SIGNS: Record<Wait["kind"], IconName> = { pause: "paused", watch: "search", gate: "search", machine: "offline" };

export function Waits({ deployment }: { deployment: DeploymentWithTasks }) {
  const { api, session } = useApp();
  const [asked, setAsked] = useState<Wait>();
  const [promotes, setPromotes] = useState(false);
  const waits = waitsOf(deployment.tasks, deployment.status);
  if (waits.length === 0) return null;
  return (
    <ul class="waits" aria-label={t("waits")}>
      {waits.map((wait) => (
        <li key={wait.task.id} data-wait={wait.kind}>
          <Icon name={SIGNS[wait.kind]} />
          <span>{reasonText(wait.task.reason)}</span>
          <b class="figures">
            {wait.until === undefined
              ? t(wait.kind === "gate" && deployment.status === "running" ? "waits.measured" : "waits.still")
              : t("waits.left", { time: durationText(wholeSeconds(wait.until - now.value), timeWords()) })}
          </b>
          {maySkip(wait, session.base.value) && (
            <Button
              small
              icon="right"
              name="skip-wait"
              onClick={() => setAsked(wait)}
            >
              {t("task.do.skip")}
            </Button>
          )}
        </li>
      ))}
      {mayPromote(waits, session.base.value) && (
        <li>
          <Button small name="promote" onClick={() => setPromotes(true)}>{t("waits.promote")}</Button>
        </li>
      )}
      {promotes && (
        <ConfirmDialog
          title={t("waits.promote")}
          text={t("waits.promote.ask")}
          submit={t("waits.promote")}
          withNote="optional"
          act={(note) => api.send("POST", `/deployments/${deployment.id}/promote`, note ? { note } : {})}
          onClose={() => setPromotes(false)}
        />
      )}
      {asked && (
        <ConfirmDialog
          title={t("task.do.skip")}
          text={t(asked.kind === "machine" ? "task.ask.skip.pause" : `task.ask.skip.${asked.kind}`)}
          submit={t("task.do.skip")}
          withNote="optional"
          act={(note) => api.send("POST", `/tasks/${asked.task.id}/skip`, note ? { note } : {})}
          onClose={() => setAsked(undefined)}
        />
      )}
    </ul>
  );
}

const wholeSeconds = (milliseconds: number) => Math.max(0, Math.ceil(milliseconds / 1000) * 1000);
