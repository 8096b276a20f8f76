/** A counter that changes many times a millisecond, seen at most once per frame. */
import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

export function useFrameVersion(version: ReadonlySignal<number>): number {
  const [seen, setSeen] = useState(version.peek());
  useEffect(() => {
    let frame = 0;
    const end = version.subscribe(() => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setSeen(version.peek());
      });
    });
    return () => {
      end();
      cancelAnimationFrame(frame);
    };
  }, [version]);
  return seen;
}
