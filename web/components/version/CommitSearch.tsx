import { useState } from "preact/hooks";
import type { Carriers } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { problemText } from "../../models/toast_model.ts";
import { Button } from "../Button.tsx";
import { TextField } from "../Field.tsx";
import { Card } from "../Page.tsx";
import { Status } from "../Status.tsx";

/** From a commit to everything that carries it. */
export function CommitSearch() {
  const { api } = useApp();
  const [sha, setSha] = useState("");
  const [found, setFound] = useState<Carriers>();
  const [problem, setProblem] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const search = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      setFound(await api.get<Carriers>(`/commits/${encodeURIComponent(sha.trim().toLowerCase())}/deployments`));
    } catch (error: unknown) {
      setFound(undefined);
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card>
      <form
        class="form"
        name="commit-search"
        onSubmit={(event) => {
          event.preventDefault();
          void search();
        }}
      >
        <TextField
          label={t("commit.search")}
          hint={t("commit.search.hint")}
          value={sha}
          onValue={setSha}
          minLength={7}
          required
          mono
        />
        <Button type="submit" small disabled={isBusy} name="search-commit">{t("commit.search")}</Button>
      </form>
      {problem !== undefined && <p class="reason" role="alert">{problemText(problem)}</p>}
      {found && <Found of={found} />}
    </Card>
  );
}

function Found({ of }: { of: Carriers }) {
  return (
    <div aria-live="polite" data-found="commit">
      {of.commits.map((commit) => (
        <p key={commit.commit}>
          <span class="mono">{commit.commit.slice(0, 12)}</span> {commit.subject}{" "}
          <span class="quiet">{commit.author}</span>
        </p>
      ))}
      <p>
        {t("commit.in", { count: of.versions.length })}:{" "}
        {of.versions.slice(0, 20).map((version) => (
          <a key={version.id} class="tag mono" href={`/versions/${version.id}`}>{version.version}</a>
        ))}
      </p>
      {of.running.length === 0
        ? <p class="quiet">{t("commit.runs.nowhere")}</p>
        : (
          <table class="table" aria-label={t("commit.runs")}>
            <tbody>
              {of.running.map((place) => (
                <tr key={`${place.applicationId} ${place.environmentId} ${place.target}`}>
                  <td>
                    <a href={`/applications/${place.applicationId}`}>{place.application}</a>
                  </td>
                  <td>
                    <a href={`/environments/${place.environmentId}`}>{place.environment}</a>
                  </td>
                  <td class="mono">{place.target}</td>
                  <td class="mono">{place.version}</td>
                  <td>
                    <Status kind="health" state={place.health} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
    </div>
  );
}
