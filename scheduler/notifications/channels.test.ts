import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { createNotifyWorld, failure } from "../../tests/helpers/notify_world.ts";
import { startReceiver } from "../../tests/helpers/http_receiver.ts";
import { startSmtpServer } from "../../tests/helpers/smtp_server.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const world = await createNotifyWorld(db);
const rules = [{ events: ["deployment.failed"] }];
const fail = async () => await world.deploymentEvent(await world.deployment(), "deployment.failed", failure);
/** What a robot of Lark, DingTalk or WeCom says that does not take something. */
const noByNumber = (body: unknown) => () => ({ body: JSON.stringify(body) });

describe("chat robots", () => {
  it("of Lark are signed with their key, and their no in an answer of 200 is heard", async () => {
    const receiver = await startReceiver();
    receiver.answer = noByNumber({ code: 19021, msg: "sign match fail" });
    const id = await world.channel({ kind: "lark", url: `${receiver.url}/hook/abc`, secret: "lark key" }, { rules });
    world.notifier({ nextTryIn: () => undefined });
    await fail();
    expect((await world.delivered(id, "failed")).reason.text).toContain("19021: sign match fail");
    const body = JSON.parse(receiver.received[0]!.body);
    const expected = createHmac("sha256", `${body.timestamp}\nlark key`).update("").digest("base64");
    expect(body).toMatchObject({ sign: expected, msg_type: "post" });
    expect(body.content.post.zh_cn.title).toMatch(/^Failed: order/);
  });

  it("of DingTalk get timestamp and signature in the address, and people's text makes no markdown", async () => {
    const receiver = await startReceiver();
    receiver.answer = noByNumber({ errcode: 0, errmsg: "ok" });
    const url = `${receiver.url}/robot/send?access_token=abc`;
    const id = await world.channel({ kind: "dingtalk", url, secret: "SEC123" }, { rules });
    world.notifier();
    const said = reason("deployment.failed", { task: "order", detail: "[press](https://evil.example) *now*" });
    await world.deploymentEvent(await world.deployment(), "deployment.failed", said);
    await world.delivered(id, "sent");
    const called = new URL(receiver.received[0]!.path, receiver.url).searchParams;
    const timestamp = called.get("timestamp")!;
    expect(called.get("sign")).toBe(createHmac("sha256", "SEC123").update(`${timestamp}\nSEC123`).digest("base64"));
    expect(called.get("access_token")).toBe("abc");
    const { markdown } = JSON.parse(receiver.received[0]!.body);
    expect(markdown.text).toContain("\\[press\\](https://evil.example) \\*now\\*");
  });

  it("of WeCom get a text that is cut at their limit, and say no by number", async () => {
    const receiver = await startReceiver();
    receiver.answer = noByNumber({ errcode: 93000, errmsg: "invalid webhook url" });
    const id = await world.channel({ kind: "wecom", url: receiver.url }, { rules });
    world.notifier({ nextTryIn: () => undefined });
    const said = reason("deployment.failed", { task: "order", detail: "错".repeat(5000) });
    await world.deploymentEvent(await world.deployment(), "deployment.failed", said);
    expect((await world.delivered(id, "failed")).reason.text).toContain("93000: invalid webhook url");
    const { content } = JSON.parse(receiver.received[0]!.body).markdown;
    expect(new TextEncoder().encode(content).length).toBeLessThanOrEqual(4096);
    expect(content).toMatch(/错…$/);
  });

  it("of Slack that answer with a word other than ok are told again later", async () => {
    const receiver = await startReceiver();
    receiver.answer = () => ({ body: receiver.received.length === 1 ? "invalid_payload" : "ok" });
    const id = await world.channel({ kind: "slack", url: receiver.url }, { rules });
    world.notifier({ nextTryIn: () => 0 });
    await fail();
    expect((await world.delivered(id, "sent")).attempts).toBe(2);
  });
});

describe("email", () => {
  it("arrives with its title, its text in UTF-8 and an id that stays, behind a login", async () => {
    const smtp = await startSmtpServer({ password: "mail password" });
    const id = await world.channel({
      ...{ kind: "email", host: "127.0.0.1", port: smtp.port, security: "none" },
      ...{
        username: "boreas",
        password: "mail password",
        from: "boreas@example.com",
        to: ["ada@example.com", "bo@example.com"],
      },
    }, { rules, language: "zh" });
    world.notifier();
    await fail();
    const delivery = await world.delivered(id, "sent");
    expect(smtp.mails).toHaveLength(1);
    expect(smtp.mails[0]).toMatchObject({
      from: "boreas@example.com",
      to: ["ada@example.com", "bo@example.com"],
      login: "boreas",
      messageId: `<${delivery.id}@example.com>`,
    });
    expect(smtp.mails[0]!.subject).toMatch(/^部署失败：order v\d+ → prod$/);
    expect(smtp.mails[0]!.text).toContain("order 失败：It did not get healthy.");
    expect(delivery.reason.text).toBe("Taken by ada@example.com, bo@example.com.");
  });

  it("does not go out in the clear where TLS is asked for and the server has none", async () => {
    const smtp = await startSmtpServer();
    const target = { kind: "email", host: "127.0.0.1", port: smtp.port, from: "a@example.com", to: ["b@example.com"] };
    const id = await world.channel(target, { rules });
    world.notifier({ nextTryIn: () => undefined });
    await fail();
    expect((await world.delivered(id, "failed")).reason.text).toMatch(
      /^Given up after 1 attempts, last: 127\.0\.0\.1:\d+ /,
    );
    expect(smtp.mails).toEqual([]);
  });

  it("that nobody takes says why, in the server's words", async () => {
    const smtp = await startSmtpServer();
    smtp.onRecipient = () => "550 no such mailbox";
    const target = { kind: "email", host: "127.0.0.1", port: smtp.port, security: "none", from: "a@example.com" };
    const id = await world.channel({ ...target, to: ["b@example.com"] }, { rules });
    world.notifier({ nextTryIn: () => undefined });
    await fail();
    expect((await world.delivered(id, "failed")).reason.text).toContain("550 no such mailbox");
  });
});

describe("a storm", () => {
  it("of 500 agents that go offline is one message with the number, without those that came back meanwhile", async () => {
    const receiver = await startReceiver();
    const id = await world.channel({ kind: "webhook", url: receiver.url, secret: "a secret of this test" }, {
      rules: [{ events: ["agent.offline"] }],
    });
    const ids = Array.from({ length: 500 }, () => db.newId());
    const said = reason("agent.disconnected");
    await db.sql`
      insert into agent (id, project_id, name, kind, public_key, sealing_key, status, reason, slots, created_by)
      select id, ${world.api.actors.admin.projectId}, 'node-' || n, 'agent', '', '', 'disconnected', ${
      db.sql.json(said as never)
    }, 1, 'test'
      from unnest(${ids}::uuid[]) with ordinality x(id, n)`;
    const go = (from: number, to: number) =>
      world.happen(
        ...ids.slice(from, to).map((subjectId, n) => ({
          ...{ topic: "agent" as const, subjectId, kind: "agent.disconnected" },
          data: { name: `node-${from + n + 1}`, reason: said },
        })),
      );
    await go(0, 250);
    world.notifier({ settleSeconds: { "agent.offline": 6 } });
    await world.delivered(id, "waiting");
    await go(250, 500);
    await db.sql`update agent set status = 'connected' where name = any(${["node-3", "node-4"]})`;
    await world.delivered(id, "sent");
    expect(receiver.received).toHaveLength(1);
    const { type, data } = JSON.parse(receiver.received[0]!.body);
    expect([type, data.count]).toEqual(["agent.offline", 498]);
    expect(data.title).toBe("498 agents are offline: node-1, node-2, node-5 and 495 more");
    expect(data.text).toHaveLength(20);
  });

  it("of agents that are all back before the message is due tells nobody", async () => {
    const receiver = await startReceiver();
    const id = await world.channel({ kind: "slack", url: receiver.url }, { rules: [{ events: ["agent.offline"] }] });
    world.notifier({ settleSeconds: { "agent.offline": 1 } });
    const [agent] = await db.sql<{ id: string }[]>`select id from agent where status = 'connected' limit 1`;
    const happened = { topic: "agent" as const, subjectId: agent!.id, kind: "agent.disconnected" };
    await world.happen({ ...happened, data: { name: "node-3", reason: reason("agent.disconnected") } });
    expect((await world.delivered(id, "dropped")).reason.code).toBe("notification.over");
    expect(receiver.received).toEqual([]);
  });

  it("of failures is told one by one at first, and then as one that waits", async () => {
    const receiver = await startReceiver();
    const id = await world.channel({ kind: "slack", url: receiver.url }, { rules });
    const deploymentId = await world.deployment();
    world.notifier();
    const one = { topic: "deployment" as const, subjectId: deploymentId, deploymentId, kind: "deployment.failed" };
    await world.happen(...Array.from({ length: 40 }, () => ({ ...one, data: { name: "failed", reason: failure } })));
    await expect.poll(() => receiver.received.length).toBe(5);
    const waiting = (await world.deliveries(id)).filter((d) => d.status === "waiting");
    expect(waiting.map((d) => [d.count, d.reason.code])).toEqual([[35, "notification.collecting"]]);
  });
});
