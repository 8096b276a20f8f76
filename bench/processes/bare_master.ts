/**
 * The limit: a row, a claim, a frame, another process, a frame back, a row. The same sockets and the same server, and
 * nothing of what a scheduler owes beyond that: no fence, no check, no dependency, no event.
 *
 *   claim up to a batch while fewer than a window are away -> one frame -> results gather while an update runs -> update
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget, Sql } from "../../db/client.ts";
import { answerCalls } from "../support/child.ts";
import { percentile } from "../support/statistics.ts";

let sql: Sql;
let socket: WebSocket;
let onResults: (ids: number[]) => void = () => {};
const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
sockets.on("connection", (ws) => {
  socket = ws;
  ws.on("message", (data) => onResults((JSON.parse(data.toString()) as { id: number }[]).map((m) => m.id)));
});

async function open({ target }: { target: ConnectionTarget }) {
  sql = openClient(target, { max: 4 });
  await sql`create table bare_task (id bigint primary key, state text not null, payload jsonb not null, result jsonb)`;
  await sql`create index bare_pending on bare_task (id) where state = 'pending'`;
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { port: (http.address() as AddressInfo).port };
}

const claim = (limit: number) =>
  sql<{ id: number; payload: unknown }[]>`
    update bare_task set state = 'running'
    where id in (select id from bare_task where state = 'pending' order by id limit ${limit} for update skip locked)
    returning id, payload`;
const finish = (ids: number[]) =>
  sql`update bare_task set state = 'done', result = '{"status":"success"}' where id = any(${ids}::bigint[])`;

async function throughput({ jobs, batch, window }: { jobs: number; batch: number; window: number }) {
  await sql`truncate bare_task`;
  await sql`insert into bare_task select n, 'pending', jsonb_build_object('n', n) from generate_series(1, ${jobs}) n`;
  const began = performance.now();
  let away = 0;
  let done = 0;
  let gathered: number[] = [];
  let writing = false;
  let roomAgain = () => {};
  const all = new Promise<void>((resolve) => {
    const write = async () => {
      writing = true;
      while (gathered.length > 0) {
        const ids = gathered;
        gathered = [];
        await finish(ids);
        done += ids.length;
        away -= ids.length;
        roomAgain();
      }
      writing = false;
      if (done === jobs) resolve();
    };
    onResults = (ids) => {
      gathered.push(...ids);
      if (!writing) void write();
    };
  });
  while (true) {
    while (away >= window) await new Promise<void>((resolve) => roomAgain = resolve);
    const got = await claim(Math.min(batch, window - away));
    if (got.length === 0) break;
    away += got.length;
    socket.send(JSON.stringify(got.map(({ id, payload }) => ({ type: "dispatch", id, payload }))));
  }
  await all;
  return { seconds: (performance.now() - began) / 1000 };
}

/** One row at a time: from its insert's commit until its result is written. */
async function latency({ perSecond, seconds }: { perSecond: number; seconds: number }) {
  await sql`truncate bare_task`;
  const waits: number[] = [];
  let resultCame = () => {};
  onResults = () => resultCame();
  const start = performance.now();
  for (let n = 1; n <= perSecond * seconds; n++) {
    const wait = start + n * 1000 / perSecond - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    await sql`insert into bare_task values (${n}, 'pending', '{}')`;
    const committed = performance.now();
    const back = new Promise<void>((resolve) => resultCame = resolve);
    socket.send(JSON.stringify((await claim(10)).map(({ id }) => ({ type: "dispatch", id }))));
    await back;
    await finish([n]);
    waits.push(performance.now() - committed);
  }
  return { p50: percentile(waits, 50), p99: percentile(waits, 99), count: waits.length };
}

await answerCalls({
  open,
  throughput,
  latency,
  async close() {
    socket?.terminate();
    http.close();
    await sql?.end({ timeout: 5 });
  },
});
