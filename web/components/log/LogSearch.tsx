import { t } from "../../i18n/locale.ts";
import { Button } from "../Button.tsx";
import { Icon } from "../Icon.tsx";
import type { LogSearchState } from "./use_log_search.ts";

export function LogSearch({ search }: { search: LogSearchState }) {
  const { query, count, at, step } = search;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") search.setQuery("");
    else return;
    event.preventDefault();
  };
  return (
    <div class="log-search" role="search">
      <Icon name="search" size={13} />
      <input
        type="search"
        value={query}
        placeholder={t("log.search")}
        aria-label={t("log.search")}
        data-search
        onInput={(e) => search.setQuery(e.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {query && (
        <>
          <output class="figures" aria-live="polite">
            {count === 0 ? (search.isBusy ? "…" : "0") : `${at + 1} / ${count}${search.isBusy ? "+" : ""}`}
          </output>
          <Button
            look="ghost"
            small
            icon="up"
            label={t("log.previous")}
            disabled={count === 0}
            onClick={() => step(-1)}
          />
          <Button look="ghost" small icon="down" label={t("log.next")} disabled={count === 0} onClick={() => step(1)} />
        </>
      )}
    </div>
  );
}
