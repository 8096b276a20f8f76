/**
 * The limit for logs: frames from a WebSocket, chunk rows in batches, an acknowledgement, and the same bytes to a viewer.
 * No fence, no schema check, no order to hold, no masking, no place to resume from.
 */
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget, Sql } from "../../db/client.ts";
import { answerCalls } from "../support/child.ts";

interface Chunk {
  sequence: number;
  offset: number;
  data: string;
}
const BATCH = 256;
const encoder = new TextEncoder();
let sql: Sql;
let viewer: ServerResponse | undefined;
const http = createServer((_request, response) => {
  viewer = response;
  response.writeHead(200, { "content-type": "text/plain" });
  response.flushHeaders();
});
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
sockets.on("connection", (ws) => {
  let waiting: Chunk[] = [];
  let writing = false;
  const write = async () => {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH).map((c) => ({ ...c, bytes: encoder.encode(c.data) }));
      waiting = waiting.slice(BATCH);
      const rows = batch.map(({ sequence, offset, data }, i) =>
        sql`${i === 0 ? sql`` : sql`,`} (${sequence}, ${offset}, convert_to(${data}::text, 'UTF8'))`
      );
      await sql`insert into bare_chunk (sequence, "offset", data) values ${rows}`;
      ws.send(JSON.stringify({ type: "log.ack", offset: batch.at(-1)!.offset + batch.at(-1)!.bytes.length }));
      for (const { bytes } of batch) viewer?.write(bytes);
    }
    writing = false;
  };
  ws.on("message", (data) => {
    waiting.push(JSON.parse(data.toString()) as Chunk);
    if (!writing) void write();
  });
});

await answerCalls({
  async open({ target }: { target: ConnectionTarget }) {
    sql = openClient(target, { max: 4 });
    await sql`create table bare_chunk (sequence int primary key, "offset" bigint not null unique, data bytea not null)`;
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return { port: (http.address() as AddressInfo).port };
  },
  reset: () => sql`truncate bare_chunk`.then(() => null),
  endView: () => void viewer?.end(),
  async close() {
    for (const ws of sockets.clients) ws.terminate();
    http.close();
    http.closeAllConnections();
    await sql?.end({ timeout: 5 });
  },
});
