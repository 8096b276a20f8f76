/** The page's clock for "3 s ago". It moves labels only: nothing is ever asked of the master because time has passed. */
import { signal } from "@preact/signals";

export const now = signal(Date.now());

/** Beats once a second while the page is seen; returns the end of it. */
export function startClock(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const beat = () => {
    now.value = Date.now();
    timer = document.hidden ? undefined : setTimeout(beat, 1000 - (now.value % 1000));
  };
  const onShow = () => {
    if (!document.hidden && timer === undefined) beat();
  };
  document.addEventListener("visibilitychange", onShow);
  beat();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onShow);
  };
}
