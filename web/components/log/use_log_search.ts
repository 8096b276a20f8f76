/** Search through a log that may be long and may still grow; results come slice by slice. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LogStore } from "../../log/log_store.ts";
import { createLogSearch } from "../../log/search_log.ts";

const LINES_PER_SLICE = 20_000;

export interface LogSearchState {
  query: string;
  setQuery: (query: string) => void;
  count: number;
  /** Which match is shown, from 0; the line it is on. */
  at: number;
  line: number | undefined;
  step: (by: 1 | -1) => void;
  isBusy: boolean;
}

export function useLogSearch(store: LogStore, version: number): LogSearchState {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const [found, setFound] = useState({ count: 0, isBusy: false });
  const search = useMemo(() => query ? createLogSearch(query, store.text) : undefined, [query, store]);
  const previous = useRef(search);
  if (previous.current !== search) {
    previous.current = search;
    if (at !== 0) setAt(0);
  }
  useEffect(() => {
    if (!search) return setFound({ count: 0, isBusy: false });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      const isDone = search.advance(store.count(), LINES_PER_SLICE);
      setFound({ count: search.matches.length, isBusy: !isDone });
      if (!isDone) timer = setTimeout(look);
    };
    look();
    return () => clearTimeout(timer);
  }, [search, version]);
  return {
    query,
    setQuery,
    count: found.count,
    at,
    line: search?.matches[at],
    step: (by) => found.count > 0 && setAt((at + by + found.count) % found.count),
    isBusy: found.isBusy,
  };
}
