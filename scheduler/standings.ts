/**
 * What people decided about agents, carried to the connections of this master: at once by the hint, and within seconds
 * when that was lost.
 *
 *   revoked -> closed | held back -> nothing new | draining -> told so, and told when that ends | keys too old -> asked
 */
import type { Standing } from "../db/agents/read_standings.ts";
import { CLOSE } from "../protocol/agent_messages.ts";
import type { AgentIdentities } from "./agent_identities.ts";
import type { Session, Sessions } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

/** A revoked agent is out within five seconds, whatever hints were lost. */
const SWEEP_SECONDS = 3;

export interface Standings {
  loop: Loop;
  /** Reads these agents again; without an id, all that are connected here. */
  refresh(id: string | undefined): void;
}

export function createStandings(
  deps: CoreDeps,
  sessions: Sessions,
  identities: AgentIdentities,
  onChange: () => void,
): Standings {
  const { identities: store } = deps;

  function apply(session: Session, standing: Standing): void {
    if (standing.isRevoked) return session.close(CLOSE.revoked, "this agent was revoked");
    if (session.cordoned !== standing.isHeldBack) {
      session.cordoned = standing.isHeldBack;
      onChange();
    }
    if (session.isDraining !== standing.isDraining) {
      session.isDraining = standing.isDraining;
      // One that speaks the first version could not be told when it ends; nothing is handed to it all the same.
      if (session.protocol >= 2) {
        session.send(
          standing.isDraining
            ? { type: "agent.drain", reason: "This machine is being emptied." }
            : { type: "agent.undrain" },
        );
      }
    }
    if (standing.wantsKeys) identities.askForKeys(session);
  }

  async function look(ids: readonly string[]): Promise<void> {
    if (!store || ids.length === 0) return;
    for (const standing of await store.readStandings(ids)) {
      const session = sessions.byAgent(standing.agentId);
      if (session) apply(session, standing);
    }
  }
  const present = () => sessions.all().map((session) => session.agentId);

  return {
    refresh(id) {
      look(id === undefined ? present() : sessions.byAgent(id) ? [id] : []).catch((error: unknown) =>
        deps.logger.log("WARN", "agents could not be read again", { error: String(error) })
      );
    },
    loop: createLoop({
      name: "standings",
      sweepSeconds: SWEEP_SECONDS,
      clock: deps.clock,
      logger: deps.logger,
      run: () => look(present()),
    }),
  };
}
