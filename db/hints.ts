/**
 * Hints: "look again, something may be there". They carry no truth: whoever gets one reads the database, and whoever
 * gets none sweeps anyway. So a lost hint costs delay, never work.
 */
export type HintTopic =
  /** Something is to be asked of an agent, or is wanted no more. */
  | "queries"
  /** An agent has answered; the id is the question's. */
  | "answers"
  /** Work may be claimable, or a cancel waits to be sent. */
  | "tasks"
  /** New rows in `event`. */
  | "events"
  /** More bytes of a task's log; the id is the task's. */
  | "log"
  /** A delivery waits. */
  | "deliveries"
  /** Something is to be looked up in a repository's mirror, or has been; the id is the question's. */
  | "sources"
  /** Late artifacts may have come. */
  | "builds"
  /** An agent was changed or revoked; the id is the agent's. */
  | "agents"
  /** Agents are to be told of another version, or have said something about it. */
  | "upgrades";

export interface Hints {
  announce(topic: HintTopic, id?: string): void;
  /** @returns a function that ends the subscription */
  on(topic: HintTopic, call: (id: string | undefined) => void): () => void;
}

/** Hints within one process. `listen.ts` joins several processes. */
export function createHints(): Hints {
  const listeners = new Map<HintTopic, Set<(id: string | undefined) => void>>();
  return {
    announce(topic, id) {
      for (const call of [...(listeners.get(topic) ?? [])]) call(id);
    },
    on(topic, call) {
      const set = listeners.get(topic) ?? new Set();
      listeners.set(topic, set.add(call));
      return () => void set.delete(call);
    },
  };
}
