/** The hub's hands in a browser: the same in a shared worker and in a page. */
import { refreshSession } from "../api/refresh_session.ts";
import type { HubDeps } from "./live_hub.ts";

export const browserHubDeps = (): HubDeps => ({
  open: (address) => new EventSource(address),
  post: async (address, body) => {
    try {
      const answer = await fetch(address, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return answer.status;
    } catch (error: unknown) {
      console.warn("live topics were not sent", error);
      return 0;
    }
  },
  refresh: () => refreshSession(),
  random: Math.random,
  later: (milliseconds, act) => {
    const timer = setTimeout(act, milliseconds);
    return () => clearTimeout(timer);
  },
});
