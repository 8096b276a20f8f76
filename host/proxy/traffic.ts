/**
 * What is open to each backend, and the idle connections that are kept to it.
 *
 * A backend that no route names any more is let go: its idle connections end at once, so that it can stop, and those
 * that still answer end with their answer.
 */
import { Agent } from "node:http";
import type { Backend } from "./routes.ts";

const IDLE_CONNECTIONS = 64;

interface Lane {
  open: number;
  pool: Agent;
  waiting: (() => void)[];
}

export class Traffic {
  readonly #lanes = new Map<string, Lane>();

  /** @param serves whether a route names this backend now */
  constructor(private readonly serves: (backend: Backend) => boolean) {}

  /** Counts one request or connection in; the caller calls the result once when it is over. */
  enter(backend: Backend): () => void {
    const lane = this.#lane(backend);
    lane.open++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      lane.open--;
      if (!this.serves(backend)) this.letGo(backend);
      if (lane.open === 0) { for (const wake of lane.waiting.splice(0)) wake(); }
    };
  }

  pool(backend: Backend): Agent {
    return this.#lane(backend).pool;
  }

  open(backend: Backend): number {
    return this.#lanes.get(keyOf(backend))?.open ?? 0;
  }

  /** Resolves when nothing is open, or after so long, with what is open then. */
  async drained(backend: Backend, milliseconds: number): Promise<number> {
    const lane = this.#lanes.get(keyOf(backend));
    if (!lane || lane.open === 0) return 0;
    const over = Promise.withResolvers<void>();
    lane.waiting.push(over.resolve);
    const timer = setTimeout(over.resolve, milliseconds);
    await over.promise;
    clearTimeout(timer);
    lane.waiting = lane.waiting.filter((wake) => wake !== over.resolve);
    return lane.open;
  }

  /** Ends the idle connections of a backend that serves no more, and forgets it when nothing is open. */
  letGo(backend: Backend): void {
    const lane = this.#lanes.get(keyOf(backend));
    if (!lane) return;
    for (const sockets of Object.values(lane.pool.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    if (lane.open === 0 && lane.waiting.length === 0) this.#lanes.delete(keyOf(backend));
  }

  #lane(backend: Backend): Lane {
    const key = keyOf(backend);
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = { open: 0, pool: new Agent({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS }), waiting: [] };
      this.#lanes.set(key, lane);
    }
    return lane;
  }
}

const keyOf = ({ host, port }: Backend) => `${host} ${port}`;
