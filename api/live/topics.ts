/** What a stream is asked to tell about. */
import { AppError } from "../../domain/app_error.ts";
import type { Database } from "../../db/database.ts";
import { findFollowable } from "../../db/events/find_followable.ts";
import type { LogPosition } from "../../db/logs/read_log.ts";
import { MAX_TOPICS, TOPIC } from "../../protocol/live_events.ts";

/** The event's topic -> the list that it changes. */
export const LIST_OF: Readonly<Record<string, string>> = {
  agent: "agents",
  version: "versions",
  repository: "repositories",
  application: "applications",
  environment: "environments",
  trigger: "triggers",
  notification: "notifications",
};
export interface Topics {
  /** As they were asked for, without those that were refused. */
  names: string[];
  refused: string[];
  deployments: boolean;
  deploymentIds: Set<string>;
  lists: Set<string>;
  /** Where each log is to begin; `isAsked` when the reader named the place. */
  logs: Map<string, LogPosition & { isAsked: boolean }>;
}

/**
 * Looks every topic up on its own: those that are unknown, or of another project, are refused and the others served.
 * @throws AppError when one is malformed, or when none is left
 */
export async function readTopics(db: Database, projectId: string, asked: readonly string[]): Promise<Topics> {
  const names = [...new Set(asked)];
  if (names.length > MAX_TOPICS) {
    throw new AppError("invalid", "live.too_many", `A stream serves ${MAX_TOPICS} topics; these are ${names.length}.`);
  }
  const malformed = names.filter((name) => !TOPIC.test(name));
  if (malformed.length > 0) {
    throw new AppError(
      "invalid",
      "live.topic",
      `There is no topic ${malformed[0]}; topics are deployments, deployment:ID, log:TASK, agents, versions, ` +
        "repositories, applications, environments, triggers, notifications.",
      malformed.map((name) => ({ path: "topics", message: `${name} is not a topic` })),
    );
  }
  const parsed = names.map(parseTopic);
  const { deploymentIds, attempts } = await findFollowable(db, projectId, {
    deploymentIds: parsed.flatMap((t) => t.kind === "deployment" && isUuid(t.id) ? [t.id] : []),
    taskIds: parsed.flatMap((t) => t.kind === "log" && isUuid(t.id) ? [t.id] : []),
  });
  const topics: Topics = {
    names: [],
    refused: [],
    deployments: false,
    deploymentIds: new Set(),
    lists: new Set(),
    logs: new Map(),
  };
  for (const topic of parsed) {
    if (topic.kind === "deployment" && deploymentIds.has(topic.id)) topics.deploymentIds.add(topic.id);
    else if (topic.kind === "log" && attempts.has(topic.id)) {
      const at = topic.at ?? { attempt: attempts.get(topic.id)!, offset: 0 };
      topics.logs.set(topic.id, { ...at, isAsked: topic.at !== undefined });
    } else if (topic.kind === "list") {
      if (topic.name === "deployments") topics.deployments = true;
      else topics.lists.add(topic.name);
    } else {
      topics.refused.push(topic.name);
      continue;
    }
    topics.names.push(topic.name);
  }
  if (names.length > 0 && topics.names.length === 0) {
    throw new AppError(
      "not_found",
      "live.unknown",
      `There is nothing behind ${names[0]}; check its id.`,
      names.map((name) => ({ path: "topics", message: `${name} is unknown` })),
    );
  }
  return topics;
}

type Parsed =
  | { kind: "list"; name: string }
  | { kind: "deployment"; name: string; id: string }
  | { kind: "log"; name: string; id: string; at: LogPosition | undefined };

function parseTopic(name: string): Parsed {
  const [, kind, id, attempt, offset] = name.match(/^(deployment|log):([^@]+)(?:@(\d+):(\d+))?$/) ?? [];
  if (kind === "deployment") return { kind, name, id: id! };
  if (kind === "log") {
    return { kind, name, id: id!, at: attempt ? { attempt: Number(attempt), offset: Number(offset) } : undefined };
  }
  return { kind: "list", name };
}

const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
