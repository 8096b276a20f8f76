/** What runs in an environment, application by application, with the document that it runs by. */
import type { ApplicationConfig } from "../../protocol/config/application.ts";
import type { Fragment } from "../client.ts";
import type { Tx } from "../database.ts";
import { mergeFor } from "./read_planned_apps.ts";
import type { Place } from "./read_planned_apps.ts";

export interface RunningPlace {
  /** As in `app_state`: the machine's name, or `-`. */
  target: string;
  agentId: string | null;
  /** A machine whose agent was revoked: nobody can act there any more. Elsewhere another agent can. */
  isRevoked: boolean;
  versionId: string | null;
  version: string | null;
}
export interface RunningApplication {
  id: string;
  name: string;
  /** Of the place that was changed last. */
  config: ApplicationConfig;
  /** Of the versions that run, all of them. */
  needs: string[];
  places: RunningPlace[];
}
interface Row extends RunningPlace {
  id: string;
  name: string;
  document: string | null;
  binding: Record<string, unknown> | null;
}

/** By name; places by theirs. */
export async function readRunningApps(tx: Tx, environment: Place): Promise<RunningApplication[]> {
  const rows = await tx<Row[]>`
    select a.id, a.name, s.target, coalesce(n.id, s.agent_id) as agent_id,
      coalesce(g.status = 'revoked' and e.type = 'pm' and n.id is null, false) as is_revoked, s.version_id, v.version,
      f.content as document, b.config as binding
    from app_state s join application a on a.id = s.application_id join environment e on e.id = s.environment_id
    left join agent g on g.id = s.agent_id
    left join agent n on ${isBackAs(tx)} and e.type = 'pm'
    left join version v on v.id = s.version_id
    left join version_app va on va.version_id = s.version_id and va.application_id = s.application_id
    left join frozen_document f on f.sha256 = va.document_sha256
    left join application_environment b on b.application_id = a.id and b.environment_id = s.environment_id
    where s.environment_id = ${environment.id} order by a.name, s.updated_at desc, s.target`;
  return [...Map.groupBy(rows, (row) => row.id).values()].map((places) => {
    const [newest] = places;
    const configs = [...Map.groupBy(places, (row) => row.versionId).values()].map(([row]) =>
      mergeFor({ ...unrecorded, ...row!, document: row!.document ?? "{}" }, environment).config
    );
    return {
      id: newest!.id,
      name: newest!.name,
      config: configs[0]!,
      needs: [...new Set(configs.flatMap((config) => config.needs ?? []))].sort(),
      places: places.map(({ target, agentId, isRevoked, versionId, version }) => ({
        ...{ target, agentId, isRevoked, versionId, version },
      })).sort((a, b) => (a.target < b.target ? -1 : 1)),
    };
  });
}

/** Of a place `s`: its machine was revoked and has enrolled anew, as `n`, under the name it had. */
export const isBackAs = (tx: Tx): Fragment =>
  tx`n.project_id = s.project_id and n.name = s.target and n.status <> 'revoked' and not n.awaits_approval`;

const unrecorded = { changed: false, artifacts: {}, bundle: null, bindings: 1, isRemoved: false };
