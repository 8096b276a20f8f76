import { useEffect, useState } from "preact/hooks";
import type { Version, VersionChanges } from "../../../protocol/http_api.ts";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createResource } from "../../models/create_resource.ts";
import { SelectField } from "../Field.tsx";
import { Card, Loaded } from "../Page.tsx";

/** What lies between an earlier version of the repository and this one. */
export function ChangesCard({ version }: { version: Version }) {
  const { api, feed } = useApp();
  const [since, setSince] = useState("");
  const [others, setOthers] = useState<Version[]>([]);
  useEffect(() => {
    const of = version.repositoryId === null ? "" : `repositoryId=${version.repositoryId}&`;
    void api.get<{ items: Version[] }>(`/versions?${of}limit=50`).then((found) => {
      const items = found.items.filter((other) => other.repository === version.repository);
      setOthers(items.filter((other) => other.id !== version.id));
      // The one that was recorded before it: ids sort by creation.
      setSince(items.find((other) => other.id < version.id)?.id ?? "");
    }, () => setOthers([])); // the page says it already when the master is away
  }, [version.id]);
  if (others.length === 0) return null;
  return (
    <Card title={t("changes.title")}>
      <SelectField
        label={t("changes.since")}
        value={since}
        onValue={setSince}
        options={[
          { value: "", text: t("changes.choose") },
          ...others.map((other) => ({ value: other.id, text: other.version })),
        ]}
      />
      {since !== "" && <Between key={since} id={version.id} since={since} api={api} feed={feed} />}
    </Card>
  );
}

type App = ReturnType<typeof useApp>;
function Between({ id, since, api, feed }: { id: string; since: string; api: App["api"]; feed: App["feed"] }) {
  const changes = useModel(
    () =>
      createResource<VersionChanges>({
        feed,
        topics: [],
        load: () => api.get(`/versions/${id}/changes?since=${since}&limit=20`),
      }),
    [id, since],
  );
  return <Loaded resource={changes}>{(data) => <Shown of={data} />}</Loaded>;
}

function Shown({ of }: { of: VersionChanges }) {
  return (
    <div data-changes={of.relation}>
      {of.commitsMissing && <p class="quiet">{of.commitsMissing}</p>}
      {of.commits.length > 0 && (
        <table class="table" aria-label={t("changes.commits")}>
          <tbody>
            {of.commits.map((commit) => (
              <tr key={commit.commit}>
                <td class="mono">{commit.commit.slice(0, 12)}</td>
                <td class="wide">{commit.subject}</td>
                <td class="end quiet">{commit.author}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {of.applications.length === 0 && <p class="quiet">{t("changes.none")}</p>}
      {of.applications.map((app) => (
        <section class="changed-app" key={`${app.application} ${app.environment}`}>
          <p>
            <b>{app.application}</b> <span class="tag">{app.environment}</span> {t(`changes.${app.action}`)}
          </p>
          {app.action === "changed" && (
            <table class="table values" aria-label={`${app.application} ${app.environment}`}>
              <thead>
                <tr>
                  <th>{t("running.differences")}</th>
                  <th>{t("changes.before")}</th>
                  <th>{t("changes.after")}</th>
                </tr>
              </thead>
              <tbody>
                {app.values.map((value) => (
                  <tr key={value.path} data-value={value.path}>
                    <td class="mono">{value.path}</td>
                    <td class="mono" title={value.before ?? undefined}>{sayValue(value.before)}</td>
                    <td class="mono" title={value.after ?? undefined}>{sayValue(value.after)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
          {app.more > 0 && <p class="quiet">{t("changes.more", { count: app.more })}</p>}
        </section>
      ))}
    </div>
  );
}

/** A digest is told from another by its beginning; the whole is in the title. */
const sayValue = (value: string | null) =>
  value === null ? "–" : value.replace(/\b[0-9a-f]{64}\b/g, (digest) => `${digest.slice(0, 12)}…`);
