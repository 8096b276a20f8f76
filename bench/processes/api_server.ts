/**
 * The API as the master serves it, over the product's own listener and a pool of the product's size; and beside it, on a
 * port of its own, a bare route of the same framework: what an answer costs in which nothing happens.
 */
import { Hono } from "hono";
import { listen } from "../../compose/http_server.ts";
import type { Listening } from "../../compose/http_server.ts";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget, Sql } from "../../db/client.ts";
import { createClock } from "../../host/clock.ts";
import { newId } from "../../host/new_id.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { answerCalls } from "../support/child.ts";
import { seedHistory } from "../support/seed_history.ts";
import type { HistorySize } from "../support/seed_history.ts";

const clock = createClock();
let sql: Sql;
const listening: Listening[] = [];

async function open({ target, size }: { target: ConnectionTarget; size: HistorySize }) {
  sql = openClient(target, { max: 12, applicationName: "boreas-master" });
  const api = await createTestApi({ sql, newId });
  const history = await seedHistory(sql, size);
  const bare = new Hono().get("/bare", (c) => c.json({ items: [], nextCursor: null }));
  const common = { host: "127.0.0.1", port: 0, clock, portVariable: "BOREAS_PORT" };
  const [real, nothing] = [
    await listen({ ...common, fetch: api.app.fetch }),
    await listen({ ...common, fetch: bare.fetch }),
  ];
  listening.push(real, nothing);
  return { ...history, port: real.port, barePort: nothing.port, token: api.tokens.admin };
}

await answerCalls({
  open,
  async close() {
    for (const each of listening) await each.close();
    await sql?.end({ timeout: 5 });
  },
});
