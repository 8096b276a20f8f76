/**
 * Many idle agents in one process: the agent's own connection, lease keeper and keys over real sockets, without the parts
 * that only work needs (disk, operators, logs). What they see of the master is what thousands of machines would see.
 */
import { createConnection } from "../../agents/connection.ts";
import type { Connection } from "../../agents/connection.ts";
import { createLeaseKeeper } from "../../agents/lease_keeper.ts";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { reason } from "../../domain/reason.ts";
import { chance } from "../../host/chance.ts";
import { createClock } from "../../host/clock.ts";
import { createDialer } from "../../host/dial.ts";
import { newId } from "../../host/new_id.ts";
import { MAX_FRAME_BYTES, PROTOCOL, signedHello, SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import { answerCalls } from "../support/child.ts";

interface Identity {
  id: string;
  key: CryptoKey;
}
const clock = createClock();
const logger = { log: () => {} };
const facts = {
  hostname: "bench",
  os: "linux",
  arch: "amd64",
  cpus: 2,
  memoryBytes: 4e9,
  bootId: "1",
  modes: ["binary"],
};
const identities: Identity[] = [];
const connections: Connection[] = [];
/** Milliseconds since 1970 of every welcome since the last question, and of every dial. */
let welcomes: number[] = [];
let dials: number[] = [];
let silentSince = performance.now();
let longestSilence = 0;

const base64Url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const now = () => performance.timeOrigin + performance.now();

/** Rows as an enrolment leaves them; the way there is not what is measured. */
async function enrol({ target, count, prefix }: { target: ConnectionTarget; count: number; prefix: string }) {
  const sql = openClient(target, { max: 1 });
  const said = sql.json(reason("agent.never_connected") as never);
  const rows = [];
  for (let n = 0; n < count; n++) {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;
    const sealing = await crypto.subtle.generateKey("X25519", true, ["deriveBits"]) as CryptoKeyPair;
    const [publicKey, sealingKey] = await Promise.all(
      [pair, sealing].map(async (p) => base64Url(new Uint8Array(await crypto.subtle.exportKey("raw", p.publicKey)))),
    );
    const id = newId();
    identities.push({ id, key: pair.privateKey });
    rows.push({
      id,
      projectId: DEFAULT_PROJECT,
      name: `${prefix}-${n}`,
      kind: "agent",
      publicKey,
      sealingKey,
      status: "disconnected",
      reason: said,
      createdBy: "bench",
    });
  }
  for (let at = 0; at < rows.length; at += 500) await sql`insert into agent ${sql(rows.slice(at, at + 500) as never)}`;
  await sql.end();
}

function connect(
  { port, masterId, dialOverMs }: { port: number; masterId: string; dialOverMs: number },
) {
  const dialer = createDialer({ url: new URL(`http://127.0.0.1:${port}`), ca: undefined, proxy: undefined }, {
    subprotocol: SUBPROTOCOL,
    maxFrameBytes: MAX_FRAME_BYTES,
  });
  for (const { id, key } of identities) {
    const keeper = createLeaseKeeper({
      clock,
      suspendedBoundMs: 300_000,
      send: (message) => connection.send(message),
      onSuspend: () => {},
      onTrust: () => {},
      onLost: () => {},
    });
    let tickets: string[] = [];
    const connection = createConnection({
      clock,
      chance,
      logger,
      dialer: {
        dial() {
          dials.push(now());
          return dialer.dial();
        },
      },
      async hello({ nonce }) {
        const signed = await crypto.subtle.sign("Ed25519", key, new Uint8Array(signedHello(nonce, id, masterId)));
        return {
          type: "agent.hello",
          protocol: PROTOCOL,
          agentId: id,
          kind: "agent",
          versions: { boreas: "bench" },
          slots: 8,
          facts,
          resumes: [],
          tickets,
          signature: base64Url(new Uint8Array(signed)),
        };
      },
      welcomed(welcome, helloSentAt) {
        welcomes.push(now());
        keeper.connected(helloSentAt, welcome.leaseSeconds);
        if (welcome.ticket === undefined) return;
        tickets = [welcome.ticket, ...tickets].slice(0, 2);
        connection.send({ type: "ticket.kept" });
      },
      received(message) {
        if (message.type === "lease.renewed") keeper.renewed(message);
      },
      disconnected: () => keeper.disconnected(),
      revoked: () => {},
      atStakeMs: () => undefined,
    });
    connections.push(connection);
    clock.after(chance() * dialOverMs, () => connection.start());
  }
}

setInterval(() => {
  longestSilence = Math.max(longestSilence, performance.now() - silentSince - 100);
  silentSince = performance.now();
}, 100);

await answerCalls({
  enrol,
  connect,
  up: () => connections.filter((c) => c.isUp).length,
  /** What happened since the last question. */
  history() {
    const told = { welcomes, dials, longestSilence };
    [welcomes, dials, longestSilence] = [[], [], 0];
    return told;
  },
});
