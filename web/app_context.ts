/** What every page is given: the master, the live feed, who is signed in, the graph's layout. */
import { createContext } from "preact";
import { useContext, useEffect, useMemo } from "preact/hooks";
import type { Api } from "./api/api_client.ts";
import type { LayoutGraph } from "./graph/layout_graph.ts";
import type { LiveFeed } from "./live/live_feed.ts";
import type { SessionModel } from "./models/session_model.ts";
import type { Toasts } from "./models/toast_model.ts";
import { can } from "./models/actions.ts";
import type { Capability } from "./models/actions.ts";

export interface App {
  api: Api;
  feed: LiveFeed;
  session: SessionModel;
  layout: LayoutGraph;
  toasts: Toasts;
}
export const AppContext = createContext<App | undefined>(undefined);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("rendered outside the app");
  return app;
}

/** Makes a model for as long as the component stands and the keys are the same. */
export function useModel<M extends { dispose(): void }>(create: () => M, keys: unknown[]): M {
  const model = useMemo(create, keys);
  useEffect(() => () => model.dispose(), [model]);
  return model;
}

export function useCan(capability: Capability): boolean {
  return can(useApp().session.base.value, capability);
}
