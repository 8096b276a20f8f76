import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../domain/ports.ts";
import { reason } from "../../domain/reason.ts";
import { createClock } from "../../host/clock.ts";
import { createNotifyWorld, failure } from "../../tests/helpers/notify_world.ts";
import { startReceiver } from "../../tests/helpers/http_receiver.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const world = await createNotifyWorld(db);
const SECRET = `whsec_${btoa("a key that nobody else has")}`;
const onlyFailures = { rules: [{ events: ["deployment.failed"] }] };

describe("a webhook", () => {
  it("is told what failed, signed as Standard Webhooks with the delivery's id, and noted as sent", async () => {
    const receiver = await startReceiver();
    const id = await world.channel({ kind: "webhook", url: `${receiver.url}/hook`, secret: SECRET }, onlyFailures);
    world.notifier();
    const deploymentId = await world.deployment();
    await world.deploymentEvent(deploymentId, "deployment.failed", failure);
    const delivery = await world.delivered(id, "sent");
    expect(receiver.received.map((r) => new URL(r.path, receiver.url).pathname)).toEqual(["/hook"]);
    const { headers, body } = receiver.received[0]!;
    // As any receiver would do it, with nothing of ours.
    const key = Buffer.from(SECRET.slice(6), "base64");
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
    expect(headers["webhook-id"]).toBe(delivery.id);
    expect(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(60);
    expect(JSON.parse(body)).toMatchObject({
      type: "deployment.failed",
      data: {
        count: 1,
        title: expect.stringMatching(/^Failed: order v\d+ → prod$/),
        text: ["order failed: It did not get healthy."],
        url: `https://boreas.example.com/deployments/${deploymentId}`,
        items: [{ deploymentId, environments: ["prod"], applications: [{ name: "order", labels: { team: "trade" } }] }],
      },
    });
    expect(delivery).toMatchObject({ attempts: 1, event: "deployment.failed", reason: { code: "notification.sent" } });
  });

  it("that fails is tried again under the same id, and given up with the reason after the last try", async () => {
    const receiver = await startReceiver();
    receiver.answer = () => ({ status: 503, body: "not now" });
    const id = await world.channel({ kind: "webhook", url: receiver.url, secret: SECRET }, onlyFailures);
    world.notifier({ nextTryIn: (tries) => tries < 3 ? 0 : undefined });
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    const given = await world.delivered(id, "failed");
    expect(receiver.received.map((r) => r.headers["webhook-id"])).toEqual([given.id, given.id, given.id]);
    expect(given.reason.text).toMatch(/^Given up after 3 attempts, last: 127\.0\.0\.1:\d+ answers 503: not now\.$/);

    receiver.answer = () => ({});
    await world.api.request("POST", `/notifications/${id}/deliveries/${given.id}/redeliver`);
    expect((await world.delivered(id, "sent")).attempts).toBe(1);
    expect(receiver.received.at(-1)!.headers["webhook-id"]).toBe(given.id);
  });

  it("that answers what no database can hold is given up like any other", async () => {
    const receiver = await startReceiver();
    receiver.answer = () => ({ status: 500, body: `\0${"🧊".repeat(400)}` });
    const id = await world.channel({ kind: "webhook", url: receiver.url, secret: SECRET }, onlyFailures);
    world.notifier({ nextTryIn: () => undefined });
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    expect((await world.delivered(id, "failed")).reason.text).toContain("answers 500: \uFFFD🧊");
  });

  it("that says it is gone for good is not tried again", async () => {
    const receiver = await startReceiver();
    receiver.answer = () => ({ status: 410 });
    const id = await world.channel({ kind: "webhook", url: receiver.url, secret: SECRET }, onlyFailures);
    world.notifier();
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    expect((await world.delivered(id, "failed")).attempts).toBe(1);
  });

  it("that redirects is not followed, wherever that leads", async () => {
    const [receiver, elsewhere] = [await startReceiver(), await startReceiver()];
    receiver.answer = () => ({ status: 307, headers: { location: `${elsewhere.url}/inside` } });
    const id = await world.channel({ kind: "webhook", url: receiver.url, secret: SECRET }, onlyFailures);
    world.notifier({ nextTryIn: () => undefined });
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    expect((await world.delivered(id, "failed")).reason.text).toContain("it redirects to");
    expect(elsewhere.received).toEqual([]);
  });
});

it(
  "a server that takes connections and never answers holds its share of the room, and others are told meanwhile",
  async () => {
    const [tarpit, receiver] = [await startReceiver(), await startReceiver()];
    const opened = Promise.withResolvers<void>();
    tarpit.answer = () => opened.promise.then(() => ({}));
    const rules = { rules: [{ events: ["deployment.completed"] }] };
    // Five channels of one server, and more messages than there is room for in all.
    const stuck = await Promise.all(
      Array.from({ length: 5 }, () => world.channel({ kind: "slack", url: tarpit.url }, rules)),
    );
    for (const id of stuck) {
      for (let n = 0; n < 8; n++) await world.api.request("POST", `/notifications/${id}/test`);
    }
    const id = await world.channel({ kind: "slack", url: receiver.url }, onlyFailures);
    // No call is given up meanwhile, however slow the machine is.
    const real = createClock();
    const clock: Clock = { ...real, after: (ms, call) => real.after(ms < 10_000 ? ms : ms * 60, call) };
    world.notifier({ leaseSeconds: 1200, clock });
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    await world.delivered(id, "sent");
    await expect.poll(() => tarpit.received.length).toBe(8);
    tarpit.answer = () => ({});
    opened.resolve();
    for (const one of stuck) {
      await expect.poll(async () => (await world.deliveries(one)).every((d) => d.status === "sent")).toBe(true);
    }
  },
);

it("what cannot be told to one channel keeps neither others nor what comes later", async () => {
  const receiver = await startReceiver();
  const rules = { rules: [{ events: ["deployment.rolled_back"] }] };
  const broken = await world.channel({ kind: "slack", url: receiver.url }, rules);
  const good = await world.channel({ kind: "slack", url: receiver.url }, rules);
  await db.sql.unsafe(`
    create function refuse_message() returns trigger language plpgsql as $$ begin raise exception 'poisoned'; end $$;
    create trigger poison before insert on notification_delivery for each row
      when (new.notification_id = '${broken}') execute function refuse_message();`);
  const said: Record<string, unknown>[] = [];
  world.notifier({ logger: { log: (level, _message, context) => level === "ERROR" && said.push(context!) } });
  await world.deploymentEvent(await world.deployment(), "deployment.rolled_back", failure);
  await world.delivered(good, "sent");
  expect(said).toEqual([expect.objectContaining({ id: broken, error: expect.stringContaining("poisoned") })]);
  await db.sql.unsafe("drop trigger poison on notification_delivery");
  await world.deploymentEvent(await world.deployment(), "deployment.rolled_back", failure);
  await world.delivered(broken, "sent");
});

it("begins with the present where the rows were brought from another server, whose transactions counted further", async () => {
  const receiver = await startReceiver();
  const id = await world.channel({ kind: "slack", url: receiver.url }, onlyFailures);
  const ahead = "9000000000000";
  await db.sql`update setting set value = ${db.sql.json({ xid: ahead, id: 1 })} where key = 'notifications.cursor'`;
  world.notifier();
  const readXid = async () =>
    (await db.sql`select value ->> 'xid' as xid from setting where key = 'notifications.cursor'`)[0]!.xid;
  await expect.poll(readXid).not.toBe(ahead);
  await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
  await world.delivered(id, "sent");
});

describe("a rule", () => {
  it("lets through what fits in event, environment, application and label, and nothing else", async () => {
    const receiver = await startReceiver();
    const target = { kind: "slack", url: receiver.url };
    const fitting = await world.channel(target, {
      rules: [{
        events: ["deployment.failed"],
        environments: ["pr*"],
        applications: ["order"],
        labels: { team: "trade" },
      }],
    });
    const others = await Promise.all([
      { environments: ["staging"] },
      { applications: ["user"] },
      { labels: { team: "other" } },
      { events: ["deployment.completed"] },
    ].map((rule) => world.channel(target, { rules: [{ events: [], ...rule }] })));
    world.notifier();
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    await world.delivered(fitting, "sent");
    for (const id of others) expect(await world.deliveries(id)).toEqual([]);
  });

  it("is asked about what happens from the channel's making on, and not while it is switched off", async () => {
    const receiver = await startReceiver();
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    const id = await world.channel({ kind: "slack", url: receiver.url }, onlyFailures);
    world.notifier();
    const keeper = await world.channel({ kind: "slack", url: receiver.url }, onlyFailures);
    await world.api.request("PATCH", `/notifications/${id}`, { enabled: false });
    await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
    await world.delivered(keeper, "sent");
    await world.api.request("PATCH", `/notifications/${id}`, { enabled: true });
    const last = await world.deployment();
    await world.deploymentEvent(
      last,
      "deployment.failed",
      reason("deployment.failed", { task: "user", detail: "No." }),
    );
    await world.delivered(id, "sent");
    const said = receiver.received.map((r) => JSON.parse(r.body).text as string);
    expect(said.filter((text) => text.includes("user failed: No."))).toHaveLength(2);
    expect(said).toHaveLength(3);
  });
});

describe("a person's own way", () => {
  it("gets the sentence in its language, and a pause that a person asked for tells nobody", async () => {
    const receiver = await startReceiver();
    const id = await world.channel({ kind: "slack", url: receiver.url }, { language: "zh" });
    world.notifier();
    const deploymentId = await world.deployment();
    await world.delivered(id, "sent");
    await world.deploymentEvent(deploymentId, "deployment.paused", reason("deployment.paused", { actor: "ada" }));
    await world.deploymentEvent(
      deploymentId,
      "deployment.rolled_back",
      reason("deployment.rolled_back", { detail: "x" }),
    );
    await expect.poll(() => receiver.received.length).toBe(2);
    const said = receiver.received.map((r) => JSON.parse(r.body).text as string);
    expect(said[0]).toContain("已计划：order");
    expect(said[1]).toContain("已回滚：order");
    expect(said[1]).toContain("|在 Boreas 中打开>");
  });

  it("is told nothing twice when two masters believe that they lead", async () => {
    const receiver = await startReceiver();
    const id = await world.channel({ kind: "slack", url: receiver.url }, onlyFailures);
    world.notifier();
    world.notifier();
    const ids = await Promise.all([world.deployment(), world.deployment(), world.deployment()]);
    for (const one of ids) await world.deploymentEvent(one, "deployment.failed", failure);
    await expect.poll(async () => (await world.deliveries(id)).filter((d) => d.status === "sent").length).toBe(3);
    expect(receiver.received).toHaveLength(3);
  });
});
