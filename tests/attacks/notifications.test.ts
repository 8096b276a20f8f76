/** S33 for messages to people: no channel makes the master call its own machine, its network, or a cloud's metadata. */
import { describe, expect, it } from "vitest";
import { createTestDatabase } from "../helpers/test_database.ts";
import { createNotifyWorld, failure } from "../helpers/notify_world.ts";
import { startReceiver } from "../helpers/http_receiver.ts";
import { startSmtpServer } from "../helpers/smtp_server.ts";

const db = await createTestDatabase();
const world = await createNotifyWorld(db, "");
const SECRET = "a secret of this test only";
const INSIDE = [
  ...["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1", "localhost", "169.254.169.254"],
  ...["10.1.2.3", "192.168.0.1", "172.16.0.1", "[fd00::1]", "[fe80::1]", "100.64.0.1"],
];

describe("S33: a channel that leads inside", () => {
  it.each(INSIDE)("to %s is refused when it is made, of every kind", async (host) => {
    const targets = [
      ...["slack", "lark", "dingtalk", "wecom"].map((kind) => ({ kind, url: `http://${host}/hook` })),
      { kind: "webhook", url: `http://${host}:8080/hook`, secret: SECRET },
      { kind: "email", host: host.replace(/[[\]]/g, ""), from: "a@example.com", to: ["b@example.com"] },
    ];
    for (const target of targets) {
      const answer = await world.api.request("POST", "/notifications", { name: `${host} ${target.kind}`, target });
      expect([answer.status, answer.body.code], target.kind).toEqual([400, expect.stringMatching(/^outgoing\./)]);
    }
  });

  it("is looked at again before every message: what was allowed when it was made is not called for that", async () => {
    const [receiver, smtp] = [await startReceiver(), await startSmtpServer()];
    const open = await createNotifyWorld(await createTestDatabase(), "127.0.0.0/8");
    const mail = { kind: "email", host: "127.0.0.1", port: smtp.port, security: "none", from: "a@example.com" };
    const ids = [
      await open.channel({ kind: "webhook", url: receiver.url, secret: SECRET }),
      await open.channel({ ...mail, to: ["b@example.com"] }),
    ];
    open.notifier({ checkOutgoing: world.api.deps.checkOutgoing, nextTryIn: () => undefined });
    await open.deploymentEvent(await open.deployment(), "deployment.failed", failure);
    for (const id of ids) {
      await expect.poll(async () => (await open.deliveries(id)).map((d) => d.status)).toEqual(["failed", "failed"]);
      expect((await open.deliveries(id))[0]!.reason.text).toContain("BOREAS_ALLOW_NETWORKS");
    }
    expect([receiver.received, smtp.mails]).toEqual([[], []]);
  });
});
