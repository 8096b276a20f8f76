/** A task's log: choose the attempt, follow, search, wrap, download. The bytes come from a model, the rows are virtual. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Task } from "../../../protocol/http_api.ts";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createLogModel } from "../../models/log_model.ts";
import { problemText } from "../../models/toast_model.ts";
import { bytesText } from "../../text/time_text.ts";
import { Button } from "../Button.tsx";
import { Icon } from "../Icon.tsx";
import { LogRows } from "./LogRows.tsx";
import type { LogRowsHandle } from "./LogRows.tsx";
import { LogSearch } from "./LogSearch.tsx";
import { useFrameVersion } from "./use_frame_version.ts";
import { useLogSearch } from "./use_log_search.ts";

const isOver = (task: Task) => task.step === "completed";

export function LogViewer({ task }: { task: Task }) {
  const attempts = Math.max(1, task.attempt);
  const [chosen, setChosen] = useState<number>();
  const attempt = chosen !== undefined && chosen <= attempts ? chosen : attempts;
  return <AttemptLog key={`${task.id}@${attempt}`} {...{ task, attempt, attempts, setChosen }} />;
}

function AttemptLog({ task, attempt, attempts, setChosen }: {
  task: Task;
  attempt: number;
  attempts: number;
  setChosen: (attempt: number | undefined) => void;
}) {
  const { api, feed } = useApp();
  const isLive = attempt === attempts && !isOver(task);
  const model = useModel(() => createLogModel({ api, feed, taskId: task.id, attempt, isLive }), []);
  const version = useFrameVersion(model.version);
  // Of what failed the end is what matters; of what succeeded the story from its beginning.
  const [follows, setFollows] = useState(isLive || task.status === "failed");
  const [wraps, setWraps] = useState(false);
  const rows = useRef<LogRowsHandle>(null);
  const search = useLogSearch(model.store, version);
  const line = search.line;
  useEffect(() => {
    if (line === undefined) return;
    setFollows(false);
    rows.current?.show(line);
  }, [line]);

  const count = model.store.count();
  const error = model.error.value;
  const state = model.state.value;
  return (
    <section class="log" aria-label={t("log.title")} data-log={state}>
      <div class="log-bar">
        {attempts > 1
          ? (
            <label class="field bare">
              <span class="unseen">{t("log.attempt")}</span>
              <select
                value={String(attempt)}
                onChange={(e) => {
                  const wanted = Number(e.currentTarget.value);
                  setChosen(wanted === attempts ? undefined : wanted);
                }}
              >
                {Array.from({ length: attempts }, (_, i) => attempts - i).map((n) => (
                  <option key={n} value={n}>{t("log.attempt.n", { n })}</option>
                ))}
              </select>
            </label>
          )
          : (
            <span class="log-name">
              <Icon name="commit" size={14} />
              {t("log.title")}
            </span>
          )}
        <span class="quiet figures">{t("log.lines", { count, bytes: bytesText(model.store.next()) })}</span>
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
        <a
          class="button ghost small icon-only"
          href={`/api/v1/tasks/${task.id}/logs?attempt=${attempt}&download=1`}
          download={`${task.name}-${attempt}.log`}
          aria-label={t("log.download")}
          title={t("log.download")}
        >
          <Icon name="download" size={14} />
        </a>
      </div>
      {error !== undefined && <p class="log-note" role="alert">{problemText(error)}</p>}
      {count === 0 && error === undefined
        ? <p class="log-note">{t(state === "ended" ? "log.none" : state === "loading" ? "loading" : "log.waiting")}</p>
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
