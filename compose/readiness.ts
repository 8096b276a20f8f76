/** What `/v1/ready` answers: can this process do its work now, and with which parts. */
import type { z } from "zod";
import type { Ready } from "../protocol/http_api.ts";
import type { Database } from "../db/database.ts";
import { readLastSweep } from "../db/tasks/read_last_sweep.ts";
import type { Clock } from "../domain/ports.ts";

const DATABASE_MS = 2000;

export interface ReadinessParts {
  db: Database;
  kind: "embedded" | "server";
  clock: Clock;
  redis: { ping(): Promise<unknown> } | null;
  scheduler: boolean;
  web: boolean;
  sweepSeconds: number;
}

export async function readReadiness(parts: ReadinessParts): Promise<z.infer<typeof Ready>> {
  const [sweep, redis] = await Promise.all([
    within(parts.clock, readLastSweep(parts.db)),
    parts.redis ? within(parts.clock, parts.redis.ping()) : undefined,
  ]);
  const database = { kind: parts.kind, ok: sweep.ok, detail: sweep.ok ? "answers" : sweep.detail };
  const seconds = sweep.ok ? sweep.value : null;
  // A scheduler that has not swept for a while holds nothing together, whatever the sockets say.
  const isSweeping = !parts.scheduler || (seconds !== null && seconds < 10 * parts.sweepSeconds + 10);
  return {
    ready: database.ok && isSweeping,
    database,
    redis: !redis
      ? {
        inUse: false,
        ok: true,
        detail: "not configured: limits are counted and deliveries remembered by this process",
      }
      : {
        inUse: true,
        ok: redis.ok,
        detail: redis.ok ? "answers" : `${redis.detail}; this process counts by itself meanwhile`,
      },
    scheduler: { running: parts.scheduler, lastSweepSecondsAgo: seconds },
    web: parts.web,
  };
}

type Answer<T> = { ok: true; value: T } | { ok: false; detail: string };

async function within<T>(clock: Clock, work: Promise<T>): Promise<Answer<T>> {
  let cancel = () => {};
  const late = new Promise<Answer<T>>((resolve) => {
    const timer = clock.after(
      DATABASE_MS,
      () => resolve({ ok: false, detail: `no answer within ${DATABASE_MS / 1000} s` }),
    );
    cancel = () => timer.cancel();
  });
  const answer = work.then((value): Answer<T> => ({ ok: true, value }), (error: unknown): Answer<T> => ({
    ok: false,
    detail: error instanceof Error ? error.message : String(error),
  }));
  const first = await Promise.race([answer, late]);
  cancel();
  return first;
}
