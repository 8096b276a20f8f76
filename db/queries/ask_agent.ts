/** Questions to agents, put where the master that holds the agent's socket finds them. */
import type { Database } from "../database.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";

/** Seconds that a question lives beyond the last word of whoever wants it. */
export const WANTED_SECONDS = 30;
/** A fresh observation is wanted for a moment only. */
const OBSERVE_SECONDS = 10;

interface Deps {
  db: Database;
  hints: Hints;
}
export interface Place {
  projectId: string;
  agentId: string;
  environmentId: string;
  applicationId: string;
}

/** Asks what runs now. @returns the id of the question */
export async function askObserve({ db, hints }: Deps, projectId: string, agentId: string): Promise<string> {
  const id = db.newId();
  await db.sql`
    insert into agent_query (id, project_id, agent_id, kind, wanted_until)
    values (${id}, ${projectId}, ${agentId}, 'observe', boreas_now() + make_interval(secs => ${OBSERVE_SECONDS}))`;
  hints.announce("queries");
  return id;
}

/** Asks for output. Whoever follows joins what is followed there already. @returns the id of the question */
export async function askOutput({ db, hints }: Deps, place: Place, follow: boolean): Promise<string> {
  const id = await inTransaction(db, async (tx) => {
    // One at a time per agent, so that two viewers who come together share one.
    await tx`select from agent where id = ${place.agentId} for no key update`;
    const [known] = follow
      ? await tx<{ id: string }[]>`
        update agent_query set wanted_until = boreas_now() + make_interval(secs => ${WANTED_SECONDS})
        where agent_id = ${place.agentId} and kind = 'tail' and follow and ended is null and wanted_until > boreas_now()
          and environment_id = ${place.environmentId} and application_id = ${place.applicationId} returning id`
      : [];
    if (known) return known.id;
    const made = db.newId();
    await tx`
      insert into agent_query (id, project_id, agent_id, kind, environment_id, application_id, follow, wanted_until)
      values (${made}, ${place.projectId}, ${place.agentId}, 'tail', ${place.environmentId}, ${place.applicationId}, ${follow},
        boreas_now() + make_interval(secs => ${WANTED_SECONDS}))`;
    return made;
  });
  hints.announce("queries");
  return id;
}

/** Somebody still wants it. */
export async function keepQuery(db: Database, id: string): Promise<void> {
  await db
    .sql`update agent_query set wanted_until = boreas_now() + make_interval(secs => ${WANTED_SECONDS}) where id = ${id}`;
}

/** A question whose answer was read whole. */
export async function dropQuery(db: Database, id: string): Promise<void> {
  await db.sql`delete from agent_query where id = ${id}`;
}
