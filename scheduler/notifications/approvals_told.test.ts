import { expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { pendingEvent, recordEvents } from "../../db/events/record_event.ts";
import { createNotifyWorld } from "../../tests/helpers/notify_world.ts";
import { startReceiver } from "../../tests/helpers/http_receiver.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { createApprovalLinks } from "./approval_links.ts";

const db = await createTestDatabase();
const world = await createNotifyWorld(db);
const { api } = world;
const approvalLinks = createApprovalLinks({
  db,
  publicUrl: "https://boreas.example.com",
  blobTicketKey: api.deps.keys.blobTicket,
});

it("who is to approve gets a link that works once in that person's name, and a room gets none", async () => {
  await api.request("PATCH", `/environments/${world.environmentId}`, { policy: { approvals: { count: 1 } } });
  const [own, room] = [await startReceiver(), await startReceiver()];
  const rules = [{ events: ["deployment.awaiting_approval"] }];
  const ids = [
    await world.channel({ kind: "webhook", url: own.url, secret: "a secret of this test" }, {
      rules,
      username: "deployer",
    }),
    await world.channel({ kind: "webhook", url: room.url, secret: "a secret of this test" }, { rules }),
  ];
  world.notifier({ approvalLinks });
  const deploymentId = await world.deployment();
  for (const id of ids) await world.delivered(id, "sent");
  const links = (body: string): { text: string; url: string }[] => JSON.parse(body).data.links;
  expect(links(room.received[0]!.body).map((l) => l.text)).toEqual(["Open in Boreas"]);
  expect(links(own.received[0]!.body).map((l) => l.text)).toEqual(["Approve or reject", "Open in Boreas"]);
  const [row] = await db.sql<
    { userId: string; deploymentId: string }[]
  >`select user_id, deployment_id from approval_link`;
  expect(row).toEqual({ userId: api.actors.deployer.userId, deploymentId });
});

it("a step that begins to ask is told once, and not at every vote", async () => {
  const receiver = await startReceiver();
  const rules = [{ events: ["approval.waiting"] }];
  const id = await world.channel({ kind: "slack", url: receiver.url }, { rules });
  world.notifier();
  const deploymentId = await world.deployment();
  const ask = async (missing: number) => {
    const said = reason("task.approval_given", { missing, count: 2, roles: "lead" });
    const task = {
      id: db.newId(),
      projectId: api.actors.admin.projectId,
      deploymentId,
      name: "approval",
      reason: said,
    };
    await db.sql.begin((tx) => recordEvents(tx, [pendingEvent(task)]));
    api.deps.hints.announce("events");
  };
  await ask(2);
  await world.delivered(id, "sent");
  await ask(1);
  await ask(2);
  await expect.poll(async () => (await world.deliveries(id)).filter((d) => d.status === "sent").length).toBe(2);
  expect(JSON.parse(receiver.received[0]!.body).text).toContain("Waiting for 2 of 2 approvals by lead.");
});
