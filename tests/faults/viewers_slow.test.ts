/** F24: viewers that do not keep up cost nobody anything: not the task, not the others, not the master's memory. */
import { Buffer } from "node:buffer";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseGapMarker } from "../../domain/log_marker.ts";
import { MAX_STREAMS } from "../../api/live/stream_limit.ts";
import { eventually } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { compareLog } from "./support/check_log.ts";
import { expectSound } from "./support/history.ts";
import { startLogRack, watchMemory } from "./support/log_rack.ts";
import type { LogRack } from "./support/log_rack.ts";
import { isThorough } from "./support/races.ts";

const SECONDS = isThorough() ? 60 : 10;
/** What the sockets between the two hold is read by nobody: more than that is printed. */
const BYTES = (isThorough() ? 200 : 60) * 1_000_000;
const SLOW_VIEWERS = isThorough() ? 20 : 5;
/** Until a machine that runs other things as well has taken all of it in: the case is about bounds, not about speed. */
const PATIENCE_SECONDS = isThorough() ? 900 : 100;

describe("viewers that read a kilobyte per second", () => {
  let rack: LogRack;
  let content: Buffer;

  beforeAll(async () => {
    const line = (n: number) => `${String(n).padStart(9, "0")} ${"all work and no play ".repeat(4)}\n`;
    const lines = Math.floor(BYTES / line(0).length);
    content = Buffer.from(Array.from({ length: lines }, (_, n) => line(n)).join(""));
    const file = join(await temporaryFolder("viewed"), "output");
    await Deno.writeFile(file, content);
    const step = Math.ceil(content.length / SECONDS);
    rack = await startLogRack({
      scripts: {
        // What the master takes is measured from the idle process on, after an ordinary small task.
        small: `head -c 100000 '${file}'`,
        long:
          `sleep 2; i=0; while [ $i -lt ${SECONDS} ]; do tail -c +$((i * ${step} + 1)) '${file}' | head -c ${step}; sleep 1; i=$((i + 1)); done`,
      },
    });
  });

  it("F24: harm neither the task nor other viewers, are told of a gap, and go on near the end", async () => {
    await rack.ended(await rack.deploy("small"));
    const taskId = await rack.deploy("long");
    await eventually(async () => (await rack.task(taskId)).attempt > 0, "the task was handed out");
    const watch = watchMemory(`BOREAS_DATA_DIR=${rack.master.dataDir}`, "main.ts start");
    const path = `/tasks/${taskId}/logs?follow=true`;
    const slow = await Promise.all(Array.from({ length: SLOW_VIEWERS }, () => openSlowly(rack, path)));
    const live = await openSlowly(rack, `/live?topics=log:${taskId}`);
    const quick = rack.get(path).then(async (response) => Buffer.from(await response.arrayBuffer()));

    expect(await rack.ended(taskId, "success", PATIENCE_SECONDS)).toMatchObject({ attempt: 1 });
    const stored = await rack.stored(taskId);
    expect(compareLog(content, await rack.printed(taskId))).toBeUndefined();
    const seen = await quick;
    // Whoever reads as fast as it comes misses nothing, or is told what.
    expect(compareLog(stored, seen)).toBeUndefined();
    live.stop();
    const memory = { process: "master", ...watch.stop() };
    console.log("F24 master", memory.split);
    expectSound({ memory: [memory] });

    for (const viewer of slow) {
      const text = await viewer.readOn();
      expect(compareLog(stored, text)).toBeUndefined();
      const gaps = text.toString().split("\n").filter((line) => parseGapMarker(line)?.cause === "viewer");
      expect(gaps.length).toBeGreaterThan(0);
    }
  }, PATIENCE_SECONDS * 1_000 + 180_000);

  it("are limited in number for each user, with an answer that says so", async () => {
    const ends: (() => void)[] = [];
    const open = () => openSlowly(rack, "/live?topics=agents").then((viewer) => ends.push(viewer.stop));
    for (let n = 0; n < MAX_STREAMS; n += 16) await Promise.all(Array.from({ length: 16 }, open));
    const refused = await eventually(async () => {
      const response = await rack.get("/live?topics=agents");
      if (response.status === 429) return await response.json();
      await response.body?.cancel();
    }, "the next one is refused");
    expect(refused).toMatchObject({ code: "live.too_many_streams" });
    for (const end of ends) end();
    await eventually(async () => {
      const response = await rack.get("/live?topics=agents");
      await response.body?.cancel();
      return response.status === 200;
    }, "there is room again");
  });
});

/** Reads a kilobyte per second until told to read on. */
async function openSlowly(rack: LogRack, path: string) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(`${rack.master.url}/api/v1${path}`, { headers: rack.master.bearer() }, resolve);
    outgoing.on("error", reject);
    outgoing.end();
  });
  expect(response.statusCode).toBe(200);
  const parts: Buffer[] = [];
  response.on("error", () => {}); // of one that is stopped
  const timer = setInterval(() => {
    const part = response.read(1024) as Buffer | null;
    if (part) parts.push(part);
  }, 1000);
  return {
    async readOn(): Promise<Buffer> {
      clearInterval(timer);
      for await (const part of response) parts.push(part as Buffer);
      return Buffer.concat(parts);
    },
    stop() {
      clearInterval(timer);
      response.destroy();
    },
  };
}
