/** `boreas secret` and `boreas notifications` against the real API, its database and the loop that tells people. */
import { expect, it } from "vitest";
import { openSecrets } from "../../db/secrets/read_secrets.ts";
import { startReceiver } from "../helpers/http_receiver.ts";
import { createNotifyWorld, type NotifyWorld } from "../helpers/notify_world.ts";
import { serveApi } from "../helpers/serve_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { runAgainst } from "./test_host.ts";

const db = await createTestDatabase();
const world: NotifyWorld = await createNotifyWorld(db);
const origin = new URL((await serveApi(world.api)).url).origin;

const boreas = (argv: string[], options: Parameters<typeof runAgainst>[2] = {}) =>
  runAgainst(origin, argv, { waits: true, ...options, env: { BOREAS_TOKEN: world.api.tokens.admin, ...options.env } });

it("a secret's value comes from standard input, its scope from flags, and it is never printed", async () => {
  const set = await boreas(["secret", "set", "DB_PASSWORD", "--environment", "prod", "--application", "order"], {
    input: "hunter22\n",
  });
  expect([set.code, set.out]).toEqual([0, "DB_PASSWORD is set for order in prod.\n"]);
  const query = { projectId: world.api.actors.admin.projectId, environmentId: world.environmentId };
  expect(
    await openSecrets(db, world.api.deps.vault, {
      ...query,
      applicationId: world.applicationId,
      names: ["DB_PASSWORD"],
    }),
  ).toEqual({ DB_PASSWORD: "hunter22" });
  const asked = await boreas(["secret", "set", "DB_PASSWORD", "--environment", "prod", "--application", "order"], {
    answers: ["another-value"],
  });
  expect(asked.out).toContain("out of sync until it is deployed again");
  await boreas(["secret", "set", "API_KEY", "--from-env", "BOREAS_SECRET_VALUE_API"]);
  const listed = await boreas(["secret"]);
  expect(listed.out).toMatch(/DB_PASSWORD +prod +order +stored/);
  expect(listed.out).toMatch(/API_KEY +every +every +env: BOREAS_SECRET_VALUE_API/);
  expect(listed.out + set.out + asked.out).not.toMatch(/hunter22|another-value/);
});

it("a secret that is too short, empty, of no such scope or given as a word is refused in a sentence", async () => {
  expect((await boreas(["secret", "set", "X"], { input: "abc" })).err).toContain("at least 4 characters");
  expect(await boreas(["secret", "set", "X"], { input: "" })).toMatchObject({
    code: 2,
    err: expect.stringMatching(/No value/),
  });
  expect((await boreas(["secret", "set", "X", "value"])).code).toBe(2);
  expect((await boreas(["secret", "delete", "DB_PASSWORD"])).err).toContain("say --environment and --application");
  const gone = await boreas(["secret", "delete", "DB_PASSWORD", "--environment", "prod", "--application", "order"]);
  expect([gone.code, gone.out]).toEqual([0, expect.stringMatching(/^DB_PASSWORD is gone/)]);
});

it("a channel is added with its address from the environment, tried, listed, switched off and taken away", async () => {
  const receiver = await startReceiver();
  receiver.answer = () => receiver.received.length === 1 ? { status: 500, body: "not yet" } : {};
  world.notifier();
  const env = { BOREAS_NOTIFICATION_URL: `${receiver.url}/T0/secret-part` };
  const argv = [
    "notifications",
    "add",
    "ops",
    "--kind",
    "webhook",
    "--events",
    "deployment.failed",
    "--labels",
    "team=trade",
  ];
  const added = await boreas(argv, { env });
  expect(added.out).toMatch(/^ops is told from now on\. It signs with whsec_\S+, which is shown only now\./);
  const failed = await boreas(["notifications", "test", "ops"]);
  expect([failed.code, failed.err]).toEqual([1, expect.stringContaining("answers 500: not yet")]);
  expect(JSON.parse(receiver.received[0]!.body).data.title).toBe("Test message from Boreas");

  const deliveries = await boreas(["notifications", "deliveries", "ops", "--json"]);
  const [{ id }] = JSON.parse(deliveries.out);
  const again = await boreas(["notifications", "redeliver", "ops", id]);
  expect([again.code, again.out]).toEqual([0, `Taken by ${new URL(receiver.url).host}.\n`]);
  const listed = await boreas(["notifications"]);
  expect(listed.out).toMatch(/ops +webhook +http:\/\/127\.0\.0\.1:\d+ +deployment\.failed of team=trade +yes +sent/);
  expect(listed.out).not.toContain("secret-part");
  expect((await boreas(["notifications", "off", "ops"])).out).toBe("ops is switched off.\n");
  expect((await boreas(["notifications", "delete", "ops"])).code).toBe(0);
  const machine = JSON.parse((await boreas([...argv, "--json"], { env })).out);
  expect(machine).toMatchObject({ name: "ops", secret: expect.stringMatching(/^whsec_\S{32}$/) });
});

it("a channel that is missing something says what, and where a password belongs", async () => {
  expect((await boreas(["notifications", "add", "x"])).err).toContain("--kind is one of webhook, slack");
  expect((await boreas(["notifications", "add", "x", "--kind", "slack"])).err).toContain("Set BOREAS_NOTIFICATION_URL");
  const wrong = ["notifications", "add", "x", "--kind", "slack", "--events", "nothing"];
  expect((await boreas(wrong, { env: { BOREAS_NOTIFICATION_URL: "https://x.example" } })).err).toContain(
    'no event "nothing"',
  );
  expect((await boreas(["notifications", "test", "nobody"])).err).toContain('No channel "nobody"');
});
