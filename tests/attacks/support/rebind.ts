/**
 * Runs inside a network namespace of its own: a name server whose one name is a public address when it is first asked
 * for, and loopback from then on; a server at each of the two; and a call through the product's own parts.
 * Prints who was reached, once with the product's fetch and once with the plain one.
 */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { createOutgoingCheck } from "../../../domain/outgoing_check.ts";
import type { OutgoingFetch } from "../../../domain/outgoing_check.ts";
import { createClock } from "../../../host/clock.ts";
import { createPinnedFetch } from "../../../host/pinned_fetch.ts";
import { callOut, OutgoingError } from "../../../scheduler/gitops/outgoing_http.ts";

const PUBLIC = "8.8.4.4";
let asked = 0;

const names = createSocket("udp4");
names.on("message", (query: Uint8Array, from) => names.send(answer(query), from.port, from.address));
await new Promise<void>((bound) => names.bind(53, "127.0.0.1", bound));

/** One question, answered with one address without any time to live; none for what is not an IPv4 address. */
function answer(query: Uint8Array): Uint8Array {
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  const question = query.subarray(12, end + 5);
  const isFour = query[end + 2] === 1;
  const address = isFour ? (asked++ === 0 ? [8, 8, 4, 4] : [127, 0, 0, 1]) : [];
  const head = [query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, isFour ? 1 : 0, 0, 0, 0, 0];
  const record = isFour ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address] : [];
  return Uint8Array.from([...head, ...question, ...record]);
}

const serve = (hostname: string, says: string) =>
  Deno.serve({ hostname, port: 8080, onListen: () => {} }, () => new Response(says));
const servers = [serve(PUBLIC, "public"), serve("127.0.0.1", "inside")];

async function reach(fetch: OutgoingFetch): Promise<string> {
  asked = 0;
  const checkOutgoing = createOutgoingCheck({
    resolve: async (host) => (await lookup(host, { all: true })).map((one) => one.address),
    allow: [],
  });
  try {
    return await callOut(
      { fetch, checkOutgoing, clock: createClock() },
      "http://rebind.example.com:8080/",
      {},
      (response) => response.text(),
    );
  } catch (error: unknown) {
    if (!(error instanceof OutgoingError)) throw error;
    return `refused: ${error.message}`;
  }
}

const pinned = await reach(createPinnedFetch(() => undefined));
const plain = await reach((url, init) => fetch(url, init));
console.log(JSON.stringify({ pinned, plain }));
await Promise.all(servers.map((server) => server.shutdown()));
names.close();
