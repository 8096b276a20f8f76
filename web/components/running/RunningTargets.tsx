/** What runs where: each target with its health, and on demand its processes, what differs, and its live output. */
import { Fragment } from "preact";
import { useState } from "preact/hooks";
import type { AppStateItem } from "../../../protocol/http_api.ts";
import { t, tState } from "../../i18n/locale.ts";
import { Button } from "../Button.tsx";
import { Empty } from "../Page.tsx";
import { Status } from "../Status.tsx";
import { Ago } from "../Times.tsx";
import { OutputViewer } from "./OutputViewer.tsx";

/** @param names of applications or of environments: whatever the page is not about */
export function RunningTargets({ items, first }: {
  items: AppStateItem[];
  first: { head: string; cell: (item: AppStateItem) => preact.ComponentChildren };
}) {
  const [open, setOpen] = useState<string>();
  const [output, setOutput] = useState<string>();
  if (items.length === 0) return <Empty icon="applications" title={t("environment.empty")} />;
  return (
    <table class="table">
      <thead>
        <tr>
          <th>{first.head}</th>
          <th>{t("column.target")}</th>
          <th>{t("column.version")}</th>
          <th>{t("column.health")}</th>
          <th>{t("column.sync")}</th>
          <th>{t("running.seen")}</th>
          <th class="end">
            <span class="unseen">{t("running.details")}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => {
          const key = `${item.environmentId} ${item.applicationId} ${item.target}`;
          const isOpen = open === key;
          return (
            <Fragment key={key}>
              <tr data-target={item.target}>
                <td>{first.cell(item)}</td>
                <td>{item.target}</td>
                <td>
                  {item.versionId
                    ? <a class="mono" href={`/versions/${item.versionId}`}>{item.version}</a>
                    : <span class="quiet">–</span>}
                </td>
                <td>
                  <Status kind="health" state={item.health} />
                </td>
                <td>
                  <Status kind="sync" state={item.sync} />
                </td>
                <td>
                  <Seen item={item} />
                </td>
                <td class="end">
                  <Button
                    look="ghost"
                    small
                    name="details"
                    pressed={isOpen}
                    onClick={() => setOpen(isOpen ? undefined : key)}
                  >
                    {t("running.details")}
                  </Button>
                  <Button
                    look="ghost"
                    small
                    name="output"
                    pressed={output === key}
                    onClick={() => setOutput(output === key ? undefined : key)}
                  >
                    {t("log.title")}
                  </Button>
                </td>
              </tr>
              {isOpen && (
                <tr class="running-more">
                  <td colSpan={7}>
                    <Details item={item} />
                  </td>
                </tr>
              )}
              {output === key && (
                <tr class="running-more">
                  <td colSpan={7}>
                    <OutputViewer
                      path={`/applications/${item.applicationId}/environments/${item.environmentId}`}
                      target={item.target}
                      onClose={() => setOutput(undefined)}
                    />
                  </td>
                </tr>
              )}
            </Fragment>
          );
        })}
      </tbody>
    </table>
  );
}

function Seen({ item }: { item: AppStateItem }) {
  if (item.agent && !item.agent.connected && item.target !== "-") {
    return (
      <span class="quiet" title={tState("health", item.lastHealth)}>
        {t("running.offline")} {item.agent.lastSeenAt && <Ago at={item.agent.lastSeenAt} />}
      </span>
    );
  }
  return <Ago at={item.observedAt ?? item.updatedAt} />;
}

function Details({ item }: { item: AppStateItem }) {
  const trouble = typeof item.details.trouble === "string" ? item.details.trouble : undefined;
  const counts = new Set(item.drift.map((d) => d.path));
  const all = [...item.drift, ...(item.differences ?? []).filter((d) => !counts.has(d.path))];
  return (
    <div class="running-details">
      {trouble && <p class="reason">{trouble}</p>}
      {all.length > 0 && (
        <table class="table" aria-label={t("running.differences")}>
          <thead>
            <tr>
              <th>{t("running.differences")}</th>
              <th>{t("running.expected")}</th>
              <th>{t("running.actual")}</th>
            </tr>
          </thead>
          <tbody>
            {all.map((difference) => (
              <tr key={difference.path} data-difference={difference.path}>
                <td class="mono">
                  {difference.path} {!counts.has(difference.path) && <span class="quiet">{t("running.ignored")}</span>}
                </td>
                <td class="mono">{difference.expected}</td>
                <td class="mono">{difference.actual}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {all.length === 0 && <p class="quiet">{t(item.differences === null ? "running.not_compared" : "running.same")}
      </p>}
      {item.healing?.deploymentId && (
        <p>
          <a href={`/deployments/${item.healing.deploymentId}`}>
            {t("running.healed", { count: item.healing.tries.length })}
          </a>
        </p>
      )}
      {item.healing?.error && <p class="reason">{item.healing.error}</p>}
      {item.resources.length > 0 && (
        <table class="table" aria-label={t("running.resources")}>
          <thead>
            <tr>
              <th>{t("running.resources")}</th>
              <th>{t("running.state")}</th>
              <th>{t("running.age")}</th>
              <th class="end">{t("running.restarts")}</th>
            </tr>
          </thead>
          <tbody>
            {item.resources.map((resource) => (
              <tr key={resource.name} data-resource={resource.kind}>
                <td class="mono">{resource.name}</td>
                <td>{resource.state}</td>
                <td>{resource.startedAt ? <Ago at={resource.startedAt} /> : <span class="quiet">–</span>}</td>
                <td class="end figures">{resource.restarts}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
