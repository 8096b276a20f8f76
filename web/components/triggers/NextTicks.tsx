/** When a cron time comes next, while it is being typed; or why it never does. */
import { nextOccurrence, whyNoCron } from "../../../domain/cron.ts";
import { instantText, t } from "../../i18n/locale.ts";
import { now } from "../../text/now.ts";

const SHOWN = 3;

export function NextTicks({ at, tz }: { at: string; tz: string }) {
  const time = { cron: at.trim(), tz: tz.trim() || undefined };
  if (time.cron === "") return null;
  const why = whyNoCron(time);
  if (why !== undefined) {
    return <p class="next-ticks" data-ticks="none" role="status">{t("trigger.ticks.none", { why })}</p>;
  }
  const ticks: string[] = [];
  for (let next = nextOccurrence(time, now.peek()); next !== undefined && ticks.length < SHOWN;) {
    ticks.push(instantText(new Date(next).toISOString()));
    next = nextOccurrence(time, next);
  }
  return (
    <p class="next-ticks" data-ticks={ticks.length} role="status">
      {t("trigger.ticks", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })} {ticks.join(" · ")}
    </p>
  );
}
