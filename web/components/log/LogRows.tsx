/**
 * Only the rows in view are in the document, whatever the log's length. Each stands in a slot (its number modulo the
 * slots), so scrolling by a little changes a few rows and scrolling by much changes texts, never the document's shape.
 * Beyond the height that browsers can lay out, the scroll bar stands for a taller log: its place is stretched.
 */
import type { RefObject } from "preact";
import { useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { t } from "../../i18n/locale.ts";
import type { LogStore } from "../../log/log_store.ts";
import { createLineRows, createWrappedRows } from "../../log/wrap_rows.ts";
import { LogRow } from "./LogRow.tsx";

const ROW = 19;
/** Firefox stops at about 17.8 million pixels, Chromium at 33. */
const TALLEST = 15_000_000;
const BEYOND_VIEW = 6;
/** Line numbers and padding beside the text. */
const GUTTER = 72;
/** Above and below the rows, as the style sheet has it. */
const PADDING = 12;

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

export function LogRows({ handle, store, version, wraps, follows, onFollow, query, current }: LogRowsInput) {
  const box = useRef<HTMLDivElement>(null);
  const ruler = useRef<HTMLSpanElement>(null);
  const [view, setView] = useState({ top: 0, height: 400, columns: 120 });
  const lastTop = useRef(0);

  const wrapped = useMemo(() => wraps ? createWrappedRows(view.columns) : undefined, [wraps, view.columns, store]);
  wrapped?.sync(store.count(), (line) => store.text(line).length);
  const rows = wrapped ?? createLineRows(store.count);
  const total = rows.rows() * ROW;
  const sheet = Math.min(total, TALLEST);
  const stretch = total > TALLEST ? (total - view.height) / (TALLEST - view.height) : 1;

  useLayoutEffect(() => {
    const element = box.current!;
    const measure = () => {
      const wide = ruler.current!.getBoundingClientRect().width / 100;
      const columns = Math.max(20, Math.floor((element.clientWidth - GUTTER) / wide));
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

  useImperativeHandle(handle, () => ({
    show(line: number) {
      box.current!.scrollTop = (rows.rowOf(line) * ROW - view.height / 2) / stretch;
    },
  }), [rows, view.height, stretch]);
  // A row that a search jumped to must stay also when the box was never scrolled by hand.
  useEffect(() => void (lastTop.current = box.current!.scrollTop), [current]);

  const onScroll = () => {
    // The event of a box that is gone already: another task was chosen while it scrolled.
    if (!box.current) return;
    const { scrollTop } = box.current;
    // From what is known: asking the box for its height would have it laid out once more per frame.
    const isAtEnd = sheet + PADDING - scrollTop - view.height < ROW;
    if (isAtEnd !== follows && (isAtEnd || scrollTop < lastTop.current - 1)) onFollow(isAtEnd);
    lastTop.current = scrollTop;
    // Rows stand still while the box scrolls over them; only a new row in view is news.
    if (follows || stretch > 1 || Math.abs(scrollTop - view.top) >= ROW * (BEYOND_VIEW / 2)) {
      setView({ ...view, top: scrollTop });
    }
  };

  // While following, the end is where the box will be scrolled to before it is painted; its event comes a frame later.
  const boxTop = follows ? Math.max(0, sheet + PADDING - view.height) : view.top;
  const top = boxTop * stretch;
  const first = Math.max(0, Math.floor(top / ROW) - BEYOND_VIEW);
  const last = Math.min(rows.rows(), Math.ceil((top + view.height) / ROW) + BEYOND_VIEW);
  const slots = Math.ceil(view.height / ROW) + 2 * BEYOND_VIEW + 1;
  return (
    <div
      ref={box}
      class="log-rows"
      tabIndex={0}
      role="region"
      aria-label={t("log.text")}
      onScroll={onScroll}
      data-rows={rows.rows()}
    >
      <span ref={ruler} class="log-ruler" aria-hidden="true">{"0".repeat(100)}</span>
      <div class="log-sheet" style={{ height: `${sheet}px` }}>
        {Array.from({ length: slots }, (_, slot) => {
          const row = first + (slot - first % slots + slots) % slots;
          if (row >= last) return <div key={slot} class="log-row" hidden />;
          const { line, part } = rows.at(row);
          return (
            <LogRow
              key={slot}
              {...{ store, line, part, query }}
              columns={wraps ? view.columns : Infinity}
              top={boxTop + row * ROW - top}
              isCurrent={line === current}
              // The last line may still grow.
              version={line === store.count() - 1 ? version : 0}
            />
          );
        })}
      </div>
    </div>
  );
}
