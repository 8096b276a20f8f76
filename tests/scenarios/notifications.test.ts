/** Messages to people on a real master: one that dies while it speaks, and addresses that it must not call (S33). */
import { describe, expect, it } from "vitest";
import { startReceiver } from "../helpers/http_receiver.ts";
import { startMaster } from "../helpers/start_product.ts";

const SECRET = "a secret of this test only";

describe("a master that is killed while it tells somebody", () => {
  it("tells it once more after its restart, under the same id, and then never again", async () => {
    const receiver = await startReceiver();
    const master = await startMaster({
      BOREAS_ALLOW_NETWORKS: "127.0.0.0/8",
      BOREAS_LEASE_SECONDS: "6",
      BOREAS_LOCAL_AGENT: "off",
      BOREAS_OPERATORS: ",",
    });
    const target = { kind: "webhook", url: receiver.url, secret: SECRET };
    const { id } = await master.api("POST", "/notifications", { name: "ops", target });
    const heard = Promise.withResolvers<void>();
    const dead = Promise.withResolvers<void>();
    receiver.answer = async () => {
      if (receiver.received.length > 1) return {};
      heard.resolve();
      await dead.promise;
      return {};
    };
    const asked = await master.api("POST", `/notifications/${id}/test`);
    await heard.promise;
    await master.kill("SIGKILL");
    dead.resolve();
    await master.restart();
    const statuses = async () =>
      (await master.api("GET", `/notifications/${id}/deliveries`)).items.map((d: { status: string }) => d.status);
    await expect.poll(statuses).toEqual(["sent"]);
    expect(receiver.received.map((r) => r.headers["webhook-id"])).toEqual([asked.id, asked.id]);
    expect(receiver.received[0]!.body).toBe(receiver.received[1]!.body);
  });
});
