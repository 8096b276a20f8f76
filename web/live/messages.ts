/** What a tab and the holder of the one live stream say to each other. */
import type { LiveEvent } from "../../protocol/live_events.ts";

export type LiveStatus = "connecting" | "live" | "reconnecting" | "signedOut";

export type ToHub =
  /** All topics this tab wants from now on. */
  | { type: "topics"; topics: string[] }
  /** Do not wait for the next attempt: the network is back, or somebody signed in. */
  | { type: "retry" }
  | { type: "bye" };

export type ToTab =
  | { type: "status"; status: LiveStatus }
  /** The master knows these topics: what happens from here on will arrive. */
  | { type: "subscribed"; topics: string[] }
  | { type: "event"; event: LiveEvent };

/** A log has one topic per task, wherever its reader stands. */
export const topicKey = (topic: string): string => topic.replace(/@.*$/, "");

/** The topics an event belongs to; undefined means every one. */
export function topicsOf(event: LiveEvent): string[] | undefined {
  switch (event.type) {
    case "deployment":
      return ["deployments", `deployment:${event.deployment.id}`];
    case "tasks":
    case "timeline":
      return [`deployment:${event.deploymentId}`];
    case "changed":
      return [event.topic];
    case "log":
    case "logEnd":
    case "logGap":
      return [`log:${event.taskId}`];
    case "stream":
    case "reset":
      return undefined;
  }
}
