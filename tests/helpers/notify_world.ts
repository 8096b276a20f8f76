/** The API and the loop that tells people, on a real database, allowed to call this machine and nothing else. */
import { expect, onTestFinished } from "vitest";
import { recordEvents } from "../../db/events/record_event.ts";
import type { NewEvent } from "../../db/events/record_event.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { parseNetworks } from "../../domain/outgoing_address.ts";
import { createOutgoingCheck } from "../../domain/outgoing_check.ts";
import { type Reason, reason } from "../../domain/reason.ts";
import { createClock } from "../../host/clock.ts";
import { createMailer } from "../../host/mail.ts";
import { createPinnedFetch } from "../../host/pinned_fetch.ts";
import { stagePlanners } from "../../operators/registry.ts";
import { soleLeader } from "../../scheduler/leadership.ts";
import { createNotifyLoop, type NotifyDeps } from "../../scheduler/notifications/notify_loop.ts";
import { reasonsZh } from "../../web/i18n/reasons_zh.ts";
import type { NotificationDelivery } from "../../protocol/http_api.ts";
import { createTestApi, type TestApi } from "./test_api.ts";
import type { TestDatabase } from "./test_database.ts";

export interface NotifyWorld {
  api: TestApi;
  environmentId: string;
  applicationId: string;
  /** Adds a channel; its id. */
  channel(target: Record<string, unknown>, more?: Record<string, unknown>): Promise<string>;
  /** A deployment of `order` v1 to `prod`; its id. */
  deployment(): Promise<string>;
  /** Records that something happened, and says so. */
  happen(...events: Omit<NewEvent, "projectId">[]): Promise<void>;
  /** The same for one deployment. */
  deploymentEvent(deploymentId: string, kind: string, why: Reason): Promise<void>;
  deliveries(channelId: string): Promise<NotificationDelivery[]>;
  /** The channel's only delivery, once it has this status. */
  delivered(channelId: string, status: string): Promise<NotificationDelivery>;
  /** The loop of one master; started, and stopped with the test. */
  notifier(more?: Partial<NotifyDeps>): { stop(): Promise<void> };
}
let names = 0;

export async function createNotifyWorld(db: TestDatabase, allow = "127.0.0.0/8"): Promise<NotifyWorld> {
  const checkOutgoing = createOutgoingCheck({
    resolve: (host) => Promise.reject(new Error(`no such name: ${host}`)),
    allow: parseNetworks(allow),
  });
  const api = await createTestApi(db, { checkOutgoing, planners: stagePlanners });
  const made = async (path: string, body: unknown): Promise<string> => {
    const answer = await api.request("POST", path, body);
    expect(answer.body, path).toMatchObject({ id: expect.any(String) });
    return answer.body.id;
  };
  const environmentId = await made("/environments", { name: "prod", type: "mock" });
  const config = { labels: { team: "trade" } };
  const applicationId = await made("/applications", { name: "order", config });
  await api.request("PUT", `/applications/${applicationId}/environments/${environmentId}`, { config: {} });
  const world: NotifyWorld = {
    api,
    environmentId,
    applicationId,
    async channel(target, more = {}) {
      const answer = await api.request("POST", "/notifications", { name: `channel ${++names}`, target, ...more });
      expect(answer.body).toMatchObject({ kind: target.kind });
      // The next test's receiver may get this one's port.
      onTestFinished(async () => void await api.request("DELETE", `/notifications/${answer.body.id}`));
      return answer.body.id;
    },
    async deployment() {
      const version = `v${++names}`;
      const versionId = await made("/versions", { version, appBuilds: { order: {} } });
      return await made("/deployments", { versionId, environmentId });
    },
    async happen(...events) {
      await db.sql.begin((tx) => recordEvents(tx, events.map((event) => ({ ...event, projectId: DEFAULT_PROJECT }))));
      api.deps.hints.announce("events");
    },
    deploymentEvent: (id, kind, why) =>
      world.happen({
        topic: "deployment",
        subjectId: id,
        deploymentId: id,
        kind,
        data: { name: "order", reason: why },
      }),
    deliveries: async (id) => (await api.request("GET", `/notifications/${id}/deliveries`)).body.items,
    async delivered(id, status) {
      await expect.poll(async () => (await world.deliveries(id)).map((d) => d.status)).toEqual([status]);
      return (await world.deliveries(id))[0]!;
    },
    notifier(more = {}) {
      const loop = createNotifyLoop({
        db,
        vault: api.deps.vault,
        hints: api.deps.hints,
        clock: createClock(),
        logger: { log: (level, message, context) => level === "ERROR" && console.error(message, context) },
        leadership: soleLeader,
        leaseSeconds: 20,
        sweepSeconds: 1,
        checkOutgoing,
        fetch: createPinnedFetch(() => undefined),
        sendMail: createMailer(),
        publicUrl: "https://boreas.example.com",
        reasonsZh,
        ...more,
      });
      loop.start();
      onTestFinished(() => loop.stop());
      return loop;
    },
  };
  return world;
}

export const failure = reason("deployment.failed", { task: "order", detail: "It did not get healthy." });
