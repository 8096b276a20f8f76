/** One live stream for all tabs. A tab that dies without a word lets go of its lock; that is how the hub learns of it. */
import { browserHubDeps } from "./hub_deps.ts";
import { createLiveHub } from "./live_hub.ts";
import type { HubTab } from "./live_hub.ts";
import type { ToHub } from "./messages.ts";

const hub = createLiveHub(browserHubDeps());
const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };

scope.onconnect = (event) => {
  const port = event.ports[0]!;
  const tab: HubTab = { say: (message) => port.postMessage(message) };
  hub.join(tab);
  port.onmessage = ({ data }: MessageEvent<ToHub | { type: "lock"; name: string }>) => {
    if (data.type !== "lock") return hub.hear(tab, data);
    void navigator.locks?.request(data.name, () => hub.leave(tab));
  };
};
