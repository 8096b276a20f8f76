/** The live output of a running application on one target: the same rows and search as a task's log. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createOutputModel } from "../../models/output_model.ts";
import { problemText } from "../../models/toast_model.ts";
import { Button } from "../Button.tsx";
import { Icon } from "../Icon.tsx";
import { LogRows } from "../log/LogRows.tsx";
import type { LogRowsHandle } from "../log/LogRows.tsx";
import { LogSearch } from "../log/LogSearch.tsx";
import { useFrameVersion } from "../log/use_frame_version.ts";
import { useLogSearch } from "../log/use_log_search.ts";

export function OutputViewer({ path, target, onClose }: { path: string; target: string; onClose: () => void }) {
  const { api } = useApp();
  const model = useModel(
    () => createOutputModel(api, `${path}/logs?follow=true&tail=500&target=${encodeURIComponent(target)}`),
    [path, target],
  );
  const version = useFrameVersion(model.version);
  const [follows, setFollows] = useState(true);
  const [wraps, setWraps] = useState(false);
  const rows = useRef<LogRowsHandle>(null);
  const search = useLogSearch(model.store, version);
  const { line } = search;
  useEffect(() => {
    if (line === undefined) return;
    setFollows(false);
    rows.current?.show(line);
  }, [line]);
  const state = model.state.value;
  const error = model.error.value;
  return (
    <section
      class="log output"
      aria-label={t("running.output", { target })}
      data-output={state}
      onKeyDown={(e) => e.key === "Escape" && onClose()}
    >
      <div class="log-bar">
        <span class="log-name">
          <Icon name="commit" size={14} />
          {t("running.output", { target })}
        </span>
        <span class="quiet">
          {t(state === "open" ? "running.live" : state === "loading" ? "loading" : "running.over")}
        </span>
        <span class="spring" />
        <LogSearch search={search} />
        <Button look="ghost" small icon="wrap" label={t("log.wrap")} pressed={wraps} onClick={() => setWraps(!wraps)} />
        <Button
          look="ghost"
          small
          icon="follow"
          label={t("log.follow")}
          pressed={follows}
          name="follow"
          onClick={() => setFollows(!follows)}
        />
        <Button look="ghost" small name="close-output" onClick={onClose}>{t("close")}</Button>
      </div>
      {error !== undefined && <p class="log-note" role="alert">{problemText(error)}</p>}
      {model.store.count() === 0
        ? error === undefined && <p class="log-note">{t(state === "loading" ? "loading" : "log.waiting")}</p>
        : (
          <LogRows
            handle={rows}
            store={model.store}
            version={version}
            wraps={wraps}
            follows={follows}
            onFollow={setFollows}
            query={search.query}
            current={line}
          />
        )}
    </section>
  );
}
