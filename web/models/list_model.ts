/** A list of the API with "more": a reload reads as many as are shown, so that the page does not jump. */
import { withQuery } from "../api/api_client.ts";
import type { Api } from "../api/api_client.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { LiveFeed } from "../live/live_feed.ts";
import { createResource } from "./create_resource.ts";
import type { Resource } from "./create_resource.ts";
import { reloadOnChange } from "./reduce_live.ts";
import type { Page, Reduced } from "./reduce_live.ts";

export interface ListInput<T> {
  api: Api;
  feed: LiveFeed;
  path: string;
  query?: Record<string, string | undefined>;
  topics: string[];
  reduce?: (page: Page<T>, event: LiveEvent) => Reduced<Page<T>>;
}
export interface ListModel<T> extends Resource<Page<T>> {
  more(): Promise<void>;
}
const PAGE = 50;
const LARGEST_PAGE = 200;

export function createList<T>(
  { api, feed, path, query = {}, topics, reduce = reloadOnChange }: ListInput<T>,
): ListModel<T> {
  let shown = PAGE;
  const resource = createResource<Page<T>>({
    feed,
    topics,
    load: () => api.get(withQuery(path, { ...query, limit: Math.min(LARGEST_PAGE, shown) })),
    reduce,
  });
  return {
    ...resource,
    async more() {
      const page = resource.data.peek();
      if (!page?.nextCursor) return;
      const next = await api.get<Page<T>>(withQuery(path, { ...query, limit: PAGE, cursor: page.nextCursor }));
      resource.set({ items: [...page.items, ...next.items], nextCursor: next.nextCursor });
      shown = page.items.length + next.items.length;
    },
  };
}

/** All of something short, for choosing from. */
export const readAll = async <T>(api: Api, path: string): Promise<T[]> =>
  (await api.get<Page<T>>(withQuery(path, { limit: LARGEST_PAGE }))).items;
