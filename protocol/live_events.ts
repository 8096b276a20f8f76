/**
 * `GET /api/v1/live?topics=...`: one event stream for a whole page, logs included.
 * Topics: `deployments`, `deployment:ID`, `agents`, `versions`, `repositories`, `applications`, `environments`, `triggers`, `notifications`, and
 * `log:TASK` (the latest attempt from its start; when that is more than 4 MiB, a `logGap` and its end) or
 * `log:TASK@ATTEMPT:OFFSET` (all of it from there). Either goes on with the next attempt when one begins.
 * Frames are `event: <type>`, `id: <resume point>`, `data: <JSON>`. The id carries the whole resume point, so that
 * `Last-Event-ID` (or `?lastEventId=`) brings a page back to exactly where it was.
 */
import { z } from "zod";
import { Reason } from "./api/common.ts";
import { Deployment, Task } from "./api/work.ts";

export const TOPIC =
  /^(deployments|agents|versions|repositories|applications|environments|triggers|notifications|(deployment):[0-9a-f-]{36}|log:[0-9a-f-]{36}(@\d+:\d+)?)$/;

export const LiveEvent = z.discriminatedUnion("type", [
  /** First on every connection: the handle for `POST /live/:streamId/topics`. */
  z.object({
    type: z.literal("stream"),
    streamId: z.string(),
    /** Topics that were asked for and are not there, or not of this project; the others are served. */
    refused: z.array(z.string()).optional(),
  }),
  /** The resume point is too old: read everything afresh. */
  z.object({ type: z.literal("reset"), reason: z.string() }),
  /** Topic `deployments` and `deployment:ID`: the deployment as it is now. */
  z.object({ type: z.literal("deployment"), at: z.string(), deployment: Deployment }),
  /** Topic `deployment:ID`: these tasks as they are now. */
  z.object({
    type: z.literal("tasks"),
    at: z.string(),
    deploymentId: z.string(),
    tasks: z.array(Task),
    /** These are all that there are: a plan that was made anew may have lost some. */
    whole: z.boolean().optional(),
  }),
  /** A line of the deployment's timeline. */
  z.object({
    type: z.literal("timeline"),
    /** Of the event: tells apart what was read by `GET /deployments/:id/timeline` already. */
    id: z.number().int().optional(),
    at: z.string(),
    deploymentId: z.string(),
    taskId: z.string().nullable(),
    kind: z.string(),
    name: z.string(),
    reason: Reason,
  }),
  /** Something of this topic changed: `id` names it, null means read the list again. */
  z.object({ type: z.literal("changed"), topic: z.string(), id: z.string().nullable() }),
  /** Bytes of a log, in order; `offset` is that of the first byte within the attempt. */
  z.object({
    type: z.literal("log"),
    taskId: z.string(),
    attempt: z.number().int(),
    offset: z.number().int(),
    encoding: z.enum(["utf8", "base64"]),
    data: z.string(),
  }),
  /** The task is final and its log complete. */
  z.object({ type: z.literal("logEnd"), taskId: z.string() }),
  /**
   * `bytes` were passed over: the viewer was too slow, or the log outgrew its cap and they are gone.
   * `GET /tasks/:id/logs` from there gives what there is.
   */
  z.object({
    type: z.literal("logGap"),
    taskId: z.string(),
    attempt: z.number().int(),
    offset: z.number().int(),
    bytes: z.number().int(),
  }),
]);
export type LiveEvent = z.infer<typeof LiveEvent>;
export const MAX_TOPICS = 200;
export const SetTopics = z.strictObject({ topics: z.array(z.string().max(200)).max(MAX_TOPICS) });
/** Answer: what the stream serves from now on. What is read after it has no hole to the events that follow. */
export const TopicsSet = z.object({ topics: z.array(z.string()), refused: z.array(z.string()) });
