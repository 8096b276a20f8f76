/** F25, F26, F27: whatever is printed and however the way is cut, the stored log is what was printed. */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { firstSeed } from "../helpers/seed.ts";
import { eventually } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { compareLog } from "./support/check_log.ts";
import { startLogRack } from "./support/log_rack.ts";
import type { LogRack } from "./support/log_rack.ts";
import { isThorough, randomOf } from "./support/races.ts";
import { startProxy } from "./support/tcp_proxy.ts";
import type { TcpProxy } from "./support/tcp_proxy.ts";

const LINES = isThorough() ? 100_000 : 20_000;
const CUTS = isThorough() ? 50 : 12;
const RECONNECTS = 20;
const SEED = firstSeed();
/** Between a hundred bursts, so that every cut finds the script at work. */
const PAUSE = isThorough() ? 0.25 : 0.05;

/** A long line without an end, progress bars, NUL, bytes that are no UTF-8, characters on every border, no last newline. */
function strangeOutput(): Buffer {
  const long = Buffer.alloc((isThorough() ? 5 : 2) * 1024 * 1024, "x");
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
  const emoji = Buffer.from(`${"a".repeat(3)}${"🙂é€".repeat(40_000)}\n`);
  return Buffer.concat([
    long,
    Buffer.from("\nthe line behind the long one\n"),
    Buffer.from(Array.from({ length: 200 }, (_, n) => `\rprogress ${n}%`).join("")),
    Buffer.from("\r\nwindows\r\n\0\0 NUL \0\n"),
    everyByte,
    Buffer.from([0xc3, 0x28, 0xf0, 0x9f, 0x99, 0x0a, 0xff, 0xfe, 0x0a]),
    emoji,
    Buffer.from("\x1b[31mred\x1b[0m\nthe end has no newline"),
  ]);
}

describe("the log of a script, through a proxy that cuts", () => {
  let rack: LogRack;
  let proxy: TcpProxy;
  let strange: Buffer;
  let steps: string;
  const viewed = Array.from({ length: LINES / 2 }, (_, n) => `${n + 1}\n`).join("");

  beforeAll(async () => {
    strange = strangeOutput();
    const file = join(await temporaryFolder("strange"), "output");
    await Deno.writeFile(file, strange);
    steps = await temporaryFolder("steps");
    const step = Math.ceil(LINES / 2 / (RECONNECTS + 1));
    rack = await startLogRack({
      scripts: {
        numbers: `seq 1 ${LINES} | awk '{ print; if (NR % ${
          LINES / 100
        } == 0) { fflush(); system("sleep ${PAUSE}") } }'`,
        strange: `cat '${file}'`,
        // Before each further part it waits until the viewer has gone once more.
        viewed: `i=0
while seq $((i * ${step} + 1)) $(((i + 1) * ${step})) | awk '$1 <= ${LINES / 2}'; [ $i -lt ${RECONNECTS} ]; do
  while [ ! -e '${steps}'/$i ]; do [ -d '${steps}' ] || exit 1; sleep 0.05; done
  i=$((i + 1))
done`,
      },
      // A busy machine's agent may not get a word through between two cuts; leases are not what this is about.
      master: { BOREAS_LEASE_SECONDS: "60", BOREAS_RESTART_GRACE_SECONDS: "120" },
      async agentUrl(master) {
        proxy = await startProxy({ to: { host: "127.0.0.1", port: Number(new URL(master.url).port) } });
        return `http://127.0.0.1:${proxy.port}`;
      },
    });
    return () => proxy.close();
  });

  it(`F25: has all of ${LINES} numbered lines, once and in order, when the socket is cut ${CUTS} times (seed ${SEED})`, async () => {
    const random = randomOf(SEED);
    const taskId = await rack.deploy("numbers");
    // A cut may swallow a dispatch, and another attempt would have another log: the agent has it before the first cut.
    await eventually(async () => (await rack.task(taskId)).status === "running", "the agent has taken it on");
    let cuts = 0;
    while (cuts < CUTS) {
      await eventually(() => Promise.resolve(proxy.connections() > 0), "the agent came back");
      await new Promise((resolve) => setTimeout(resolve, random() * 100)); // the moment of a cut is chance
      proxy.cutAll();
      cuts++;
    }
    expect(await rack.ended(taskId, "success", isThorough() ? 150 : 60)).toMatchObject({ attempt: 1 });
    const emitted = Array.from({ length: LINES }, (_, n) => `${n + 1}\n`).join("");
    const stored = Buffer.from((await rack.printed(taskId)).toString().trimEnd());
    expect(compareLog(emitted.trimEnd(), stored)).toBeUndefined();
    await rack.expectSound([taskId], { logs: [{ task: taskId, attempt: 1, emitted: emitted.trimEnd(), stored }] });
  });

  it("F27: is byte for byte what was printed: long lines, NUL, broken UTF-8, split characters, no last newline", async () => {
    const taskId = await rack.deploy("strange");
    await rack.ended(taskId);
    const stored = await rack.printed(taskId);
    expect(compareLog(strange, stored)).toBeUndefined();
    await rack.expectSound([taskId], { logs: [{ task: taskId, attempt: 1, emitted: strange, stored }] });
    const lines = await rack.master.api("GET", `/tasks/${taskId}/logs/lines?from=0&count=2000`);
    const all = [...lines.lines];
    for (let from = all.length; from < lines.total; from = all.length) {
      all.push(...(await rack.master.api("GET", `/tasks/${taskId}/logs/lines?from=${from}&count=2000`)).lines);
    }
    const texts = all.map((line: { text: string }) => line.text);
    expect(texts).toContain("the line behind the long one");
    expect(texts).toContain("the end has no newline");
  });

  it(`F26: reaches a viewer that reconnects ${RECONNECTS} times with its place, every byte once`, async () => {
    const taskId = await rack.deploy("viewed");
    await eventually(async () => (await rack.task(taskId)).attempt > 0, "the task was handed out");
    const parts: Buffer[] = [];
    let lastId: string | undefined;
    let hasEnded = false;
    let connections = 0;
    for (; !hasEnded; connections++) {
      const response = await rack.get(`/tasks/${taskId}/logs?follow=true`, {
        accept: "text/event-stream",
        ...(lastId ? { "last-event-id": lastId } : {}),
      });
      for await (const frame of frames(response)) {
        if (frame.event === "end") hasEnded = true;
        if (!frame.id) continue;
        lastId = frame.id;
        parts.push(Buffer.from(frame.data.data, frame.data.encoding));
        // Wherever it stands, while there is more to come; the last time to the end.
        if (connections < RECONNECTS) break;
      }
      await Deno.writeTextFile(join(steps, String(connections)), "");
    }
    expect(connections).toBe(RECONNECTS + 1);
    await rack.ended(taskId);
    expect(compareLog(await rack.stored(taskId), Buffer.concat(parts))).toBeUndefined();
    expect(Buffer.concat(parts).toString()).toContain(viewed);
    const stored = await rack.printed(taskId);
    await rack.expectSound([taskId], { logs: [{ task: taskId, attempt: 1, emitted: viewed, stored }] });
  });
});

interface Frame {
  event: string;
  id?: string;
  // deno-lint-ignore no-explicit-any -- a test reads what it expects
  data: any;
}

async function* frames(response: Response): AsyncGenerator<Frame> {
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const pieces = (rest + text).split("\n\n");
    rest = pieces.pop()!;
    for (const piece of pieces) {
      const field = (name: string) => piece.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
      const [event, id, data] = [field("event") ?? "message", field("id"), field("data")];
      if (data !== undefined) yield { event, ...(id && { id }), data: JSON.parse(data) };
    }
  }
}
