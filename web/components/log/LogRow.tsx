import { Component } from "preact";
import { t } from "../../i18n/locale.ts";
import type { LogStore } from "../../log/log_store.ts";
import { markMatches } from "../../log/search_log.ts";
import { sliceSpans } from "../../log/wrap_rows.ts";
import { bytesText } from "../../text/time_text.ts";
import { LogSpan } from "./LogSpan.tsx";

interface LogRowInput {
  store: LogStore;
  line: number;
  /** Which part of a wrapped line. */
  part: number;
  columns: number;
  query: string;
  top: number;
  isCurrent: boolean;
  version: number;
}

export class LogRow extends Component<LogRowInput> {
  override shouldComponentUpdate(next: LogRowInput): boolean {
    return (Object.keys(next) as (keyof LogRowInput)[]).some((name) => next[name] !== this.props[name]);
  }

  override render({ store, line, part, columns, query, top, isCurrent }: LogRowInput) {
    const all = markMatches(store.spans(line), query);
    const spans = columns === Infinity ? all : sliceSpans(all, part * columns, (part + 1) * columns);
    const gap = part === 0 ? store.gapBefore(line) : 0;
    return (
      <div
        class={isCurrent ? "log-row current" : "log-row"}
        data-line={part === 0 ? line + 1 : ""}
        style={{ transform: `translateY(${top}px)` }}
      >
        <span class="log-text">
          {gap > 0 && <em class="log-gap">{t("log.gap", { bytes: bytesText(gap) })}</em>}
          {spans.map((span, at) => <LogSpan key={at} span={span} />)}
        </span>
      </div>
    );
  }
}
