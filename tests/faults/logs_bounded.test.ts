/** F23, F28, F29: more output than fits anywhere: a thin link, a cap, a full disk. */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseGapMarker } from "../../domain/log_marker.ts";
import { createNamespace } from "../helpers/network_namespace.ts";
import type { Namespace } from "../helpers/network_namespace.ts";
import { component } from "../helpers/require_component.ts";
import { eventually } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { compareLog } from "./support/check_log.ts";
import { startLogRack, watchMemory } from "./support/log_rack.ts";
import { isThorough } from "./support/races.ts";

const netns = component("netns");
const MB = 1_000_000;
const cleanups: (() => unknown)[] = [];
afterAll(async () => {
  for (const clean of cleanups.reverse()) await clean();
});

/** A file of numbered lines, about so many bytes. */
async function numberedFile(bytes: number): Promise<{ path: string; content: Buffer }> {
  const line = (n: number) =>
    `${String(n).padStart(9, "0")} the quick brown fox jumps over the lazy dog, again and again\n`;
  const count = Math.floor(bytes / line(0).length);
  const content = Buffer.concat(
    Array.from(
      { length: Math.ceil(count / 1000) },
      (_, block) =>
        Buffer.from(
          Array.from({ length: Math.min(1000, count - block * 1000) }, (_, n) => line(block * 1000 + n)).join(""),
        ),
    ),
  );
  const path = join(await temporaryFolder("numbered"), "output");
  await Deno.writeFile(path, content);
  return { path, content };
}

const run = async (...command: string[]) => {
  const { success, stderr } = await new Deno.Command(command[0]!, { args: command.slice(1) }).output();
  if (!success) throw new Error(`${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
};

describe.skipIf(!netns.available)(`a link of one megabit${netns.reason}`, () => {
  const bytes = isThorough() ? 200 * MB : 40 * MB;

  it(
    "F23: a storm of output passes a thin link within bounds: memory, markers, and never a late heartbeat",
    async () => {
      const namespace: Namespace = await createNamespace();
      cleanups.push(() => namespace.remove());
      const { path, content } = await numberedFile(bytes);
      const step = bytes / 20;
      const rack = await startLogRack({
        scripts: {
          // At the end it waits until a part of the spool is free, so that its last words are not passed over too.
          storm: `i=0
while [ $i -lt 20 ]; do tail -c +$((i * ${step} + 1)) '${path}' | head -c ${step}; sleep 0.5; i=$((i + 1)); done
sleep ${isThorough() ? 60 : 10}`,
          warm: "echo warm",
        },
        // Over the thin link 16 MiB take more than two minutes; a quick look waits for less.
        agent: { BOREAS_SPOOL_BYTES: String(isThorough() ? 16 * 1024 * 1024 : 2 * 1024 * 1024) },
        namespace,
      });
      const link = `${namespace.name}n`;
      const inside = ["ip", "netns", "exec", namespace.name, "tc", "qdisc"];
      await run(...inside, "add", "dev", link, "root", "tbf", "rate", "1mbit", "burst", "32kbit", "latency", "400ms");
      // What both take is measured from the idle process on, after an ordinary small task.
      await rack.ended(await rack.deploy("warm"));
      const watches = {
        agent: watchMemory(`BOREAS_STATE_DIR=${rack.stateDir}`, "main.ts agent"),
        master: watchMemory(`BOREAS_DATA_DIR=${rack.master.dataDir}`, "main.ts start"),
      };
      const taskId = await rack.deploy("storm");
      await eventually(async () => (await rack.task(taskId)).status === "running", "the task runs");
      // The lease is renewed in time all along, while the link is full.
      const late: string[] = [];
      const task = await eventually(
        async () => {
          const asked = Date.now();
          const now = await rack.task(taskId);
          if (now.leaseExpiresAt && Date.parse(now.leaseExpiresAt) < asked) late.push(now.leaseExpiresAt);
          return !["pending", "leased", "running"].includes(now.status) && now;
        },
        "the storm's end",
        isThorough() ? 400 : 120,
      );
      const memory = Object.entries(watches).map(([process, watch]) => ({ process, ...watch.stop() }));
      console.log("F23", memory.map((m) => `${m.process}: ${m.split}`).join("; "));
      expect(task).toMatchObject({ status: "success", attempt: 1 });
      expect(late).toEqual([]);
      const stored = await rack.printed(taskId);
      expect(stored.length).toBeLessThan(bytes);
      expect(stored.toString().split("\n").some((line) => parseGapMarker(line)?.cause === "spool")).toBe(true);
      const logs = [{ task: taskId, attempt: 1, emitted: content, stored }];
      await rack.expectSound([taskId], { memory, logs, boundSeconds: isThorough() ? 400 : 120 });
    },
    isThorough() ? 500_000 : 180_000,
  );
});

it(
  "F28: output above the cap: the task succeeds, the first and the last part stay, and the marker is exact",
  async () => {
    const cap = 1024 * 1024;
    const { path, content } = await numberedFile(isThorough() ? 60 * MB : 10 * MB);
    const rack = await startLogRack({
      scripts: { long: `cat '${path}'` },
      master: { BOREAS_LOG_CAP_BYTES: String(cap) },
    });
    const taskId = await rack.deploy("long");
    await eventually(async () => (await rack.task(taskId)).attempt > 0, "the task was handed out");
    const live = rack.get(`/tasks/${taskId}/logs?follow=true`).then((r) => r.text());
    expect(await rack.ended(taskId, "success", isThorough() ? 300 : 60)).toMatchObject({ attempt: 1 });
    const printed = await rack.printed(taskId);
    expect(compareLog(content, printed)).toBeUndefined();
    await rack.expectSound([taskId], {
      logs: [{ task: taskId, attempt: 1, emitted: content, stored: printed }],
      boundSeconds: isThorough() ? 400 : 120,
    });
    const lines = printed.toString().trimEnd().split("\n");
    const marker = lines.findIndex((line) => parseGapMarker(line));
    const gap = parseGapMarker(lines[marker]!)!;
    expect(gap).toMatchObject({ cause: "cap" });
    expect(lines.length - 1 + gap.lines!).toBe(content.toString().trimEnd().split("\n").length);
    expect(lines[0]).toMatch(/^000000000 /);
    expect(Number(lines.at(-1)!.slice(0, 9))).toBe(lines.length - 2 + gap.lines!);
    const stored = await rack.stored(taskId);
    expect(stored.length).toBeGreaterThan(cap * 0.8);
    expect(stored.length).toBeLessThan(cap + 1000);
    // Whoever looked on saw the newest lines as well.
    expect((await live).slice(-2000)).toBe(stored.subarray(-2000).toString());

    // A place within the dropped part: the marker, and what is behind it.
    const at = stored.indexOf("[boreas: ") + 100_000;
    const inner = await rack.get(`/tasks/${taskId}/logs?offset=${at}`);
    const text = await inner.text();
    const first = text.slice(0, text.indexOf("\n") + 1);
    const missing = parseGapMarker(first)!;
    expect(Number(inner.headers.get("x-next-offset"))).toBe(at + missing.bytes + text.length - first.length);
    expect(stored.toString().endsWith(text.slice(first.length))).toBe(true);
    const shown = await rack.master.api("GET", `/tasks/${taskId}/logs/lines?from=${marker}&count=3`);
    expect(shown.total).toBe(stored.toString().trimEnd().split("\n").length);
  },
  isThorough() ? 420_000 : 180_000,
);

describe.skipIf(!netns.available)(`a full disk${netns.reason}`, () => {
  it("F29: a full work folder fails the task with the reason; the agent stays, and the next task passes", async () => {
    const stateDir = await temporaryFolder("small-disk");
    await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", stateDir);
    cleanups.push(() => run("umount", "-l", stateDir));
    const rack = await startLogRack({ scripts: { small: "echo printed" }, stateDir });
    const small = await rack.deploy("small");
    await rack.ended(small);
    const filler = join(stateDir, "filler");
    await fill(filler);
    const failed = await rack.deploy("small");
    const { reason } = await eventually(async () => {
      const task = await rack.task(failed);
      return task.status === "failed" && task;
    }, "the task failed");
    expect(reason.text).toMatch(/disk|space/i);
    const agents = await rack.master.api("GET", "/agents");
    expect(agents.items.find((a: { name: string }) => a.name === "rack-1").status).toBe("connected");
    await Deno.remove(filler);
    const next = await rack.deploy("small");
    await rack.ended(next);
    const stored = await rack.printed(next);
    expect(stored.toString()).toBe("printed\n");
    await rack.expectSound([small, failed, next], {
      logs: [{ task: next, attempt: 1, emitted: "printed\n", stored }],
    });
  }, 180_000);
});

/** Writes until nothing more fits. */
async function fill(path: string): Promise<void> {
  const file = await Deno.open(path, { write: true, create: true });
  try {
    for (const size of [65_536, 4096, 512, 1]) {
      for (let isRoom = true; isRoom;) {
        isRoom = await file.write(new Uint8Array(size)).then((n) => n === size, () => false);
      }
    }
  } finally {
    file.close();
  }
}
