/** Builds the parts and joins them. */
import { effect } from "@preact/signals";
import { render } from "preact";
import { createApi } from "./api/api_client.ts";
import type { Api } from "./api/api_client.ts";
import { refreshSession } from "./api/refresh_session.ts";
import { AppContext } from "./app_context.ts";
import type { App } from "./app_context.ts";
import { createGraphLayout } from "./graph/layout_graph.ts";
import { startLocale } from "./i18n/locale.ts";
import { connectToHub, createLiveFeed } from "./live/live_feed.ts";
import { createSession } from "./models/session_model.ts";
import { createToasts } from "./models/toast_model.ts";
import { Pages } from "./Pages.tsx";
import { startRouter } from "./router.ts";
import { startClock } from "./text/now.ts";

const api: Api = createApi({
  fetch: (address, init) => fetch(address, init),
  refresh: refreshSession,
  onSignedOut: () => session.forget(),
});
const session = createSession(() => api);
const feed = createLiveFeed(connectToHub());
const app: App = { api, feed, session, layout: createGraphLayout(), toasts: createToasts() };

effect(() => {
  if (feed.status.value === "signedOut") session.forget();
});
addEventListener("online", () => feed.retry());

startRouter();
startClock();
await Promise.all([startLocale(), session.find()]);
render(
  <AppContext.Provider value={app}>
    <Pages />
  </AppContext.Provider>,
  document.getElementById("app")!,
);
