import type { ApiClient } from "../../cli/api_client.ts";

/** Something that should have happened did not: what was expected, and what was there instead. */
export class StoryError extends Error {
  override readonly name = "StoryError";
}

/**
 * Waits on the live stream until `check` finds what it looks for: asked once at first, then after every event of the
 * topics. Nothing is asked while nothing happens.
 */
export async function waitUntil<T>(
  api: ApiClient,
  topics: readonly string[],
  { what, within, found }: { what: string; within: number; found: () => Promise<T | undefined> },
): Promise<T> {
  const signal = AbortSignal.timeout(within);
  for await (const _event of api.live(topics, { signal })) {
    const result = await found();
    if (result !== undefined) return result;
  }
  throw new StoryError(`Expected ${what} within ${within / 1000} s; it did not come.`);
}
