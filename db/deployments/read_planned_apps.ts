/** The applications of a version as one environment sees them: their documents, overlays and bindings merged. */
import { documentLayers, mergeLayers } from "../../protocol/config/merge_overlay.ts";
import type { ApplicationConfig } from "../../protocol/config/application.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { Tx } from "../database.ts";

export interface PlannedApplication {
  id: string;
  name: string;
  changed: boolean;
  bound: boolean;
  /** A person took it away from there: only who names it deploys it there again. */
  isRemoved: boolean;
  config: ApplicationConfig;
  artifacts: Record<string, PinnedArtifact>;
  bundle: { sha256: string; size: number } | null;
}
export type CandidateApplication = Omit<RecordedApp, "binding" | "bindings" | "isRemoved">;
export interface Place {
  id: string;
  name: string;
  config: { env?: Record<string, string> };
}

/** What a version records of an application, or what a commit says that no version stands for. */
interface RecordedApp {
  id: string;
  name: string;
  changed: boolean;
  /** Canonical JSON. */
  document: string;
  artifacts: Record<string, PinnedArtifact>;
  bundle: PlannedApplication["bundle"];
  binding: Record<string, unknown> | null;
  bindings: number;
  isRemoved: boolean;
}

/** Without those that wait for a person to approve them, or were archived: nothing deploys them. */
export async function readApplications(
  tx: Tx,
  version: { id: string },
  environment: Place,
): Promise<PlannedApplication[]> {
  const rows = await tx<RecordedApp[]>`
    select a.id, a.name, va.changed and a.archived_at is null and b.removed_at is null as changed, f.content as document, va.artifacts, va.bundle,
      b.config as binding, b.removed_at is not null as is_removed,
      (select count(*)::int from application_environment x where x.application_id = a.id) as bindings
    from version_app va join application a on a.id = va.application_id join frozen_document f on f.sha256 = va.document_sha256
    left join application_environment b on b.application_id = a.id and b.environment_id = ${environment.id}
    where va.version_id = ${version.id} and a.proposal is null order by a.name`;
  return rows.map((row) => mergeFor(row, environment));
}

/** A commit's applications as an environment would see them; one that is new goes where its document says. */
export async function readCandidate(
  tx: Tx,
  candidates: readonly CandidateApplication[],
  environment: Place,
): Promise<PlannedApplication[]> {
  const known = await tx<
    { name: string; id: string; binding: Record<string, unknown> | null; bindings: number; isRemoved: boolean }[]
  >`
    select a.name, a.id, b.config as binding, b.removed_at is not null as is_removed,
      (select count(*)::int from application_environment x where x.application_id = a.id) as bindings
    from application a
    left join application_environment b on b.application_id = a.id and b.environment_id = ${environment.id}
    where a.project_id = (select project_id from environment where id = ${environment.id})
      and a.name = any(${candidates.map((app) => app.name)}::text[])`;
  return [...candidates].sort((a, b) => (a.name < b.name ? -1 : 1)).map((app) => {
    const named = (JSON.parse(app.document) as { environments?: Record<string, unknown> }).environments ?? {};
    const there = known.find(({ name }) => name === app.name);
    const isNamed = Object.hasOwn(named, environment.name);
    const binding = there?.binding ?? (isNamed ? {} : null);
    const bindings = Math.max(there?.bindings ?? 0, Object.keys(named).length);
    const isRemoved = there?.isRemoved ?? false;
    const changed = app.changed && !isRemoved;
    return mergeFor({ ...app, id: there?.id ?? app.id, binding, bindings, isRemoved, changed }, environment);
  });
}

export function mergeFor(row: RecordedApp, environment: Place): PlannedApplication {
  const document = JSON.parse(row.document) as Record<string, unknown>;
  const { config } = mergeLayers([
    { name: "environment", config: environment.config.env ? { config: { env: environment.config.env } } : {} },
    ...documentLayers(document, environment.name),
    { name: "binding", config: row.binding ?? {} },
  ]);
  // An application that nobody bound anywhere may go everywhere; one binding restricts it to what is bound.
  return { ...row, config, bound: row.binding !== null || row.bindings === 0 };
}
