/** What the fixture answers about versions as context, and about applications that come and go. */
import type { Application, Carriers, VersionChanges } from "../../protocol/http_api.ts";
import * as data from "./fixture_data.ts";

const commit = {
  commit: "c0ffee12".padEnd(40, "0"),
  subject: "Mend the total",
  author: "Ada",
  date: data.secondsAgo(9000),
};
const named = ({ id, version, gitCommit }: (typeof data.versions)[number]) => ({ id, version, gitCommit });

/** @returns undefined when the path is none of these */
export function historyAnswer(path: string, url: URL): unknown {
  const [, list, id, part] = path.split("/");
  if (list === "commits") return carriers();
  if (list === "versions" && part === "changes") return changes(id!, url.searchParams.get("since")!);
  const state = url.searchParams.get("state");
  if (path === "/applications" && state !== null) {
    const [first, second] = data.applications as [Application, Application];
    const items = state === "proposed"
      ? [{ ...first, id: data.versions[0]!.id, name: "search-service", proposal: "proposed" as const }]
      : state === "archived"
      ? [{ ...second, id: data.versions[1]!.id, name: "old-service", archivedAt: data.secondsAgo(90_000), running: 2 }]
      : [];
    return { items, nextCursor: null };
  }
  return undefined;
}

function carriers(): Carriers {
  const [app, place, version] = [data.applications[0]!, data.environments[0]!, data.versions[0]!];
  return {
    commits: [commit],
    versions: [named(version)],
    running: [{
      applicationId: app.id,
      application: app.name,
      environmentId: place.id,
      environment: place.name,
      target: "m1",
      versionId: version.id,
      version: version.version,
      health: "healthy",
    }],
    deployments: [],
  };
}

function changes(id: string, since: string): VersionChanges {
  const of = (wanted: string) => named(data.versions.find((version) => version.id === wanted)!);
  return {
    from: of(since),
    to: of(id),
    relation: "newer",
    commits: [commit],
    nextCommitsFrom: null,
    commitsMissing: null,
    applications: [{
      application: data.applications[0]!.name,
      environment: data.environments[0]!.name,
      action: "changed",
      values: [
        { path: "env.LOG_LEVEL", before: "info", after: "debug" },
        { path: "secrets.API_KEY", before: null, after: "by name" },
      ],
      more: 0,
    }],
  };
}
