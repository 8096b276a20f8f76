/** Channels to people outside. What is secret in them goes in and never comes out. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { askTest, sendAgain } from "../../db/notifications/ask_message.ts";
import { type ChannelRow, listChannels, listMessages } from "../../db/notifications/read_channels.ts";
import { createChannel, deleteChannel, unknownChannel, updateChannel } from "../../db/notifications/write_channel.ts";
import {
  CreateNotification,
  Id,
  listOf,
  ListQuery,
  Notification,
  NotificationDelivery,
  type NotificationTarget,
  UpdateNotification,
} from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["notifications"] };
const DeliveryParams = IdParams.extend({ deliveryId: Id });
const list = createRoute({
  ...shared,
  method: "get",
  path: "/notifications",
  summary: "Who is told of what, and by which way",
  request: { query: ListQuery },
  responses: { 200: json(listOf(Notification), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/notifications",
  summary: "Add a channel: a webhook, Slack, Lark, DingTalk, WeCom or email",
  request: { body: jsonBody(CreateNotification) },
  responses: { 201: json(Notification, "Made"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/notifications/{id}",
  summary: "Read a channel, without what is secret in it",
  request: { params: IdParams },
  responses: { 200: json(Notification, "The channel"), ...problemResponses },
});
const update = createRoute({
  ...shared,
  method: "patch",
  path: "/notifications/{id}",
  summary: "Change a channel; what is left out stays",
  request: { params: IdParams, body: jsonBody(UpdateNotification) },
  responses: { 200: json(Notification, "The channel"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/notifications/{id}",
  summary: "Delete a channel and its deliveries",
  request: { params: IdParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses },
});
const test = createRoute({
  ...shared,
  method: "post",
  path: "/notifications/{id}/test",
  summary: "Send a test message; its delivery says what became of it",
  request: { params: IdParams },
  responses: { 202: json(NotificationDelivery, "It is on its way"), ...problemResponses },
});
const deliveries = createRoute({
  ...shared,
  method: "get",
  path: "/notifications/{id}/deliveries",
  summary: "What was sent to a channel, or was to be",
  request: { params: IdParams, query: ListQuery },
  responses: { 200: json(listOf(NotificationDelivery), "Newest first"), ...problemResponses },
});
const redeliver = createRoute({
  ...shared,
  method: "post",
  path: "/notifications/{id}/deliveries/{deliveryId}/redeliver",
  summary: "Send a message once more, under the same id",
  request: { params: DeliveryParams },
  responses: { 202: json(NotificationDelivery, "It is on its way"), ...problemResponses },
});

export function notificationRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (projectId: string, id: string) => {
    const [row] = await listChannels(db, projectId, { id, limit: 1 });
    if (!row) throw unknownChannel();
    return toNotification(row);
  };
  const readDelivery = async (projectId: string, id: string, deliveryId: string) => {
    const [row] = await listMessages(db, projectId, id, { id: deliveryId, limit: 1 });
    return NotificationDelivery.parse(row);
  };
  /** Refused here already, where somebody reads it (S33); and looked at again before every call. */
  const checkTarget = async (target: NotificationTarget) => {
    if (target.kind !== "email") return void await deps.checkOutgoing(target.url);
    const { host, port } = target;
    await deps.checkOutgoing(`smtp://${host.includes(":") ? `[${host}]` : host}:${port}`);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const rows = await listChannels(db, actorOf(c).projectId, { limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, toNotification), 200);
  });
  router.openapi(create, async (c) => {
    const input = c.req.valid("json");
    await checkTarget(input.target);
    const id = await createChannel(deps, input, actorOf(c));
    return c.json(await read(actorOf(c).projectId, id), 201);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c).projectId, c.req.valid("param").id), 200));
  router.openapi(update, async (c) => {
    const change = c.req.valid("json");
    const { id } = c.req.valid("param");
    if (change.target) await checkTarget(change.target);
    await updateChannel(deps, id, change, actorOf(c));
    return c.json(await read(actorOf(c).projectId, id), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteChannel(deps, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  router.openapi(test, async (c) => {
    const { id } = c.req.valid("param");
    const deliveryId = await askTest(deps, id, actorOf(c));
    return c.json(await readDelivery(actorOf(c).projectId, id, deliveryId), 202);
  });
  router.openapi(deliveries, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const { id } = c.req.valid("param");
    const { projectId } = actorOf(c);
    await read(projectId, id);
    const rows = await listMessages(db, projectId, id, { limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => NotificationDelivery.parse(row)), 200);
  });
  router.openapi(redeliver, async (c) => {
    const { id, deliveryId } = c.req.valid("param");
    await sendAgain(deps, id, deliveryId, actorOf(c));
    return c.json(await readDelivery(actorOf(c).projectId, id, deliveryId), 202);
  });
  return router;
}

function toNotification({ settings, ...row }: ChannelRow): z.infer<typeof Notification> {
  const { destination, ...rest } = settings as { destination: string };
  return Notification.parse({ ...row, destination, settings: rest });
}
