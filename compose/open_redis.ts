import { Redis } from "@upstash/redis";
import type { Logger } from "../domain/ports.ts";
import type { Settings } from "./settings.ts";

const DELIVERY_SECONDS = 24 * 3600;

export interface OpenedRedis {
  client: Redis;
  /** Ids of deliveries that are committed: an answer without a question to the database. */
  recentDeliveries: { seen(key: string): Promise<boolean>; remember(key: string): Promise<void> };
}

/** Redis shares counts between masters. It is never the truth: without it, or while it is away, everything still works. */
export function openRedis(settings: Settings, logger: Logger): OpenedRedis | null {
  if (!settings.redis) return null;
  const client = new Redis({
    url: settings.redis.url,
    token: settings.redis.token,
    enableTelemetry: false,
    retry: { retries: 1, backoff: () => 50 },
  });
  let troubled = false;
  const guarded = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      const answer = await work();
      troubled = false;
      return answer;
    } catch (error: unknown) {
      if (!troubled) {
        logger.log("WARN", "Redis does not answer; deliveries are checked in the database", { error: String(error) });
      }
      troubled = true;
      return otherwise;
    }
  };
  return {
    client,
    recentDeliveries: {
      seen: (key) => guarded(async () => await client.exists(`boreas:delivery:${key}`) === 1, false),
      remember: (key) =>
        guarded(async () => void await client.set(`boreas:delivery:${key}`, 1, { ex: DELIVERY_SECONDS }), undefined),
    },
  };
}
