import { instantText, timeWords } from "../i18n/locale.ts";
import { now } from "../text/now.ts";
import { agoText, durationText, runTime } from "../text/time_text.ts";

export function Ago({ at }: { at: string | null }) {
  if (!at) return <span class="quiet">–</span>;
  return <time dateTime={at} title={instantText(at)}>{agoText(at, now.value, timeWords())}</time>;
}

export function RunTime({ of }: { of: { startedAt: string | null; completedAt: string | null } }) {
  const time = runTime(of, of.startedAt && !of.completedAt ? now.value : 0);
  return (
    <span class="figures">{time === undefined ? <span class="quiet">–</span> : durationText(time, timeWords())}</span>
  );
}
