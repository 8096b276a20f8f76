/** One deployment with its tasks; and what happened to it, as it happens. */
import type { DeploymentWithTasks, TimelineEntry } from "../../protocol/http_api.ts";
import type { Api } from "../api/api_client.ts";
import type { LiveFeed } from "../live/live_feed.ts";
import { createResource } from "./create_resource.ts";
import type { Resource } from "./create_resource.ts";
import { reduceDeployment, reduceTimeline } from "./reduce_live.ts";

export const createDeploymentModel = (api: Api, feed: LiveFeed, id: string): Resource<DeploymentWithTasks> =>
  createResource<DeploymentWithTasks>({
    feed,
    topics: [`deployment:${id}`],
    load: () => api.get(`/deployments/${id}`),
    reduce: reduceDeployment,
  });

/** Oldest first. */
export const createTimeline = (api: Api, feed: LiveFeed, id: string): Resource<TimelineEntry[]> =>
  createResource<TimelineEntry[]>({
    feed,
    topics: [`deployment:${id}`],
    load: async () => (await api.get<{ items: TimelineEntry[] }>(`/deployments/${id}/timeline`)).items,
    reduce: reduceTimeline,
  });
