/** S40 for hooks: what a hook prints of a secret, in whatever form, is in no log, sentence or event. */
import { expect, it } from "vitest";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { putSecret } from "../../db/secrets/put_secret.ts";
import { createClock } from "../../host/clock.ts";
import { createMockOperator } from "../../operators/mock/mock_operator.ts";
import type { Operator } from "../../operators/operator.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { startScheduler, until } from "../helpers/start_scheduler.ts";
import { createTestDatabase } from "../helpers/test_database.ts";

const db = await createTestDatabase();
const PEM = "-----BEGIN KEY-----\nCANARYfirstLineOfTheKey+/=\nCANARYsecondLine&more\n-----END KEY-----";

it("S40: a hook that prints its secrets in every form leaves none of them behind", async () => {
  const mock = createMockOperator({ clock: createClock() });
  const printing: Operator = {
    ...mock,
    async run(operation, context) {
      if (operation.action !== "hook") return await mock.run(operation, context);
      const { DB_PASSWORD: password = "", KEY: key = "" } = context.secrets;
      for (const text of [password, btoa(password), btoa(`x${password}`), encodeURIComponent(password), key]) {
        await context.log(`+ psql ${text}\n`);
      }
      for (const line of key.split("\n")) await context.log(`  ${line}\n`);
      return { status: "failed", message: `psql: login as ${password} was refused`, lastLines: [password] };
    },
  };
  const run = await startScheduler(db);
  try {
    const world = await seedWorld(db, {
      applications: {
        order: {
          config: { secrets: ["DB_PASSWORD", "KEY"] },
          hooks: { preDeploy: { run: "ops/migrate.sh", on: "once" } },
          strategy: { type: "all", onFailure: { action: "stop" } },
        },
      },
    });
    world.deps.hints = run.hints;
    const scope = { environmentId: world.environmentId, applicationId: null };
    await putSecret(run.deps, { name: "DB_PASSWORD", value: "CANARY pass&word/1?", ...scope }, world.actor);
    await putSecret(run.deps, { name: "KEY", value: PEM, ...scope }, world.actor);
    await run.agent(await world.agent("machine"), { operators: [printing] });
    const id = await createDeployment(world.deps, {
      versionId: await world.version("v1"),
      environmentId: world.environmentId,
    }, world.actor);
    await startDeployment(world.deps, id, world.actor);
    const failed = async () =>
      (await db.sql`select 1 from deployment where id = ${id} and status = 'failed'`).length > 0;
    await until(run.hints, failed, "the failure");
    const [log] = await db.sql<{ text: string }[]>`
      select convert_from(string_agg(data, ''::bytea order by task_id, sequence), 'utf8') as text from log_chunk`;
    expect(log!.text.match(/\+ psql \S/g)).toHaveLength(5);
    const [rest] = await db.sql<{ text: string }[]>`
      select concat((select string_agg(t::text, '') from task t), (select string_agg(d::text, '') from deployment d),
        (select string_agg(e::text, '') from event e), (select string_agg(a::text, '') from audit a)) as text`;
    for (const text of [log!.text, rest!.text]) {
      expect(text).not.toContain("CANARY");
      expect(text).not.toContain(encodeURIComponent("pass&word/1?"));
      expect(text).not.toContain(btoa("CANARY pass&word/1?").slice(0, 20));
    }
    expect(rest!.text).toContain("psql: login as *** was refused");
  } finally {
    await run.stop();
  }
});
