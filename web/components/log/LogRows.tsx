/**
 * Only the rows in view are in the document, whatever the log's length. Beyond the height that browsers can lay out, the
 * scroll bar stands for a taller log: its place is stretched, the rows keep their height.
 */
import type { RefObject } from "preact";
import { useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { t } from "../../i18n/locale.ts";
import type { LogStore } from "../../log/log_store.ts";
import { markMatches } from "../../log/search_log.ts";
import { createLineRows, createWrappedRows, sliceSpans } from "../../log/wrap_rows.ts";
import { bytesText } from "../../text/time_text.ts";
import { LogSpan } from "./LogSpan.tsx";

const ROW = 19;
/** Firefox stops at about 17.8 million pixels, Chromium at 33. */
const TALLEST = 15_000_000;
const BEYOND_VIEW = 8;

export interface LogRowsHandle {
  show(line: number): void;
}
interface LogRowsInput {
  handle: RefObject<LogRowsHandle | null>;
  store: LogStore;
  version: number;
  wraps: boolean;
  follows: boolean;
  onFollow: (follows: boolean) => void;
  query: string;
  current: number | undefined;
}

export function LogRows(input: LogRowsInput) {
  const { store, version, wraps, follows, onFollow, query, current } = input;
  const box = useRef<HTMLDivElement>(null);
  const ruler = useRef<HTMLSpanElement>(null);
  const [view, setView] = useState({ top: 0, height: 400, columns: 120 });
  const lastTop = useRef(0);

  const wrapped = useMemo(() => wraps ? createWrappedRows(view.columns) : undefined, [wraps, view.columns, store]);
  wrapped?.sync(store.count(), (line) => store.text(line).length);
  const rows = wrapped ?? createLineRows(store.count);
  const total = rows.rows() * ROW;
  const height = Math.min(total, TALLEST);
  const stretch = total > TALLEST ? (total - view.height) / (TALLEST - view.height) : 1;

  useLayoutEffect(() => {
    const element = box.current!;
    const measure = () => {
      const gutter = 68;
      const wide = ruler.current!.getBoundingClientRect().width / 100;
      const columns = Math.max(20, Math.floor((element.clientWidth - gutter) / wide));
      setView({ top: element.scrollTop, height: element.clientHeight, columns });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = box.current!;
    if (follows) element.scrollTop = element.scrollHeight;
  }, [follows, version, wraps, view.height, view.columns]);

  useImperativeHandle(input.handle, () => ({
    show(line: number) {
      const top = rows.rowOf(line) * ROW - view.height / 2;
      box.current!.scrollTop = top / stretch;
    },
  }), [rows, view.height, stretch]);

  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < ROW;
    if (isAtEnd !== follows && (isAtEnd || scrollTop < lastTop.current - 1)) onFollow(isAtEnd);
    lastTop.current = scrollTop;
    setView((before) => ({ ...before, top: scrollTop }));
  };
  // A row that a search jumped to must be seen also when the box was never scrolled by hand.
  useEffect(() => void (lastTop.current = box.current!.scrollTop), [current]);

  const top = view.top * stretch;
  const first = Math.max(0, Math.floor(top / ROW) - BEYOND_VIEW);
  const last = Math.min(rows.rows(), Math.ceil((top + view.height) / ROW) + BEYOND_VIEW);
  const offset = view.top + first * ROW - top;
  return (
    <div
      ref={box}
      class={wraps ? "log-rows wraps" : "log-rows"}
      tabIndex={0}
      role="region"
      aria-label={t("log.text")}
      onScroll={onScroll}
      data-rows={rows.rows()}
    >
      <span ref={ruler} class="log-ruler" aria-hidden="true">{"0".repeat(100)}</span>
      <div class="log-sheet" style={{ height: `${height}px` }}>
        <div class="log-window" style={{ transform: `translateY(${offset}px)` }}>
          {Array.from({ length: Math.max(0, last - first) }, (_, index) => {
            const { line, part } = rows.at(first + index);
            const columns = view.columns;
            const all = markMatches(store.spans(line), query);
            const spans = wraps ? sliceSpans(all, part * columns, (part + 1) * columns) : all;
            const gap = part === 0 ? store.gapBefore(line) : 0;
            return (
              <div key={first + index} class={line === current ? "log-row current" : "log-row"}>
                <span class="log-number" data-number={part === 0 ? line + 1 : ""} />
                <span class="log-text">
                  {gap > 0 && <em class="log-gap">{t("log.gap", { bytes: bytesText(gap) })}</em>}
                  {spans.map((span, at) => <LogSpan key={at} span={span} />)}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
