import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KEEPER } from "./keeper.ts";
import { fileNumber } from "./keeper_output.ts";
import { adoptProcess, startProcess } from "./process.ts";
import type { KeptProcess } from "./process.ts";
import { processFiles } from "./process_files.ts";
import { findTagged, isRunning, parseStat, readBootId, sendSignal } from "./process_table.ts";

let root: string;
const started: KeptProcess[] = [];
const env = { PATH: "/usr/bin:/bin" };

beforeEach(async () => void (root = await Deno.makeTempDir({ prefix: "boreas-keeper-" })));
afterEach(async () => {
  for (const kept of started.splice(0)) {
    await kept.signal("KILL");
    await kept.ended;
  }
  await processFiles.remove(root);
});

async function start(script: string, options: { keepBytes?: number; env?: Record<string, string> } = {}) {
  const kept = await startProcess({
    folder: `${root}/run`,
    command: ["sh", "-c", script],
    cwd: root,
    env: { ...env, ...options.env },
    keepBytes: options.keepBytes ?? 64 * 1024 * 1024,
  });
  started.push(kept);
  return kept;
}

const never = new AbortController().signal;
async function readAll(kept: KeptProcess, from = 0) {
  const parts = await Array.fromAsync(kept.follow(from, never));
  const bytes = new Uint8Array(await new Blob(parts.map((p) => p.bytes as BlobPart)).arrayBuffer());
  return { bytes, parts, text: new TextDecoder().decode(bytes) };
}
async function untilOutput(kept: KeptProcess, wanted: string) {
  const stop = new AbortController();
  let text = "";
  for await (const { bytes } of kept.follow(0, stop.signal)) {
    text += new TextDecoder().decode(bytes);
    if (text.includes(wanted)) stop.abort();
  }
  return text;
}

describe("a kept program", () => {
  it("gives back its exact bytes, NUL, invalid UTF-8 and no final newline, and its exit code", async () => {
    const kept = await start(String.raw`printf 'a\000b\377\376\r\nend'; printf err >&2; exit 7`);
    expect([...(await readAll(kept)).bytes]).toEqual([
      97,
      0,
      98,
      255,
      254,
      13,
      10,
      ...new TextEncoder().encode("enderr"),
    ]);
    expect(await kept.ended).toEqual({ code: 7 });
  });

  it("hands on a line while it runs on", async () => {
    const kept = await start("echo first; exec sleep 60");
    expect(await untilOutput(kept, "first\n")).toBe("first\n");
    expect(kept.hasEnded()).toBe(false);
  });

  it("is killed as a group while its keeper lives to write down how it ended", async () => {
    const kept = await start("sleep 61 & echo ready; wait");
    await untilOutput(kept, "ready\n");
    await kept.signal("KILL");
    expect(await kept.ended).toEqual({ code: 137 });
    expect((await readAll(kept)).text).toBe("ready\n");
  });

  it("takes a TERM with its own handler, and the last words come through", async () => {
    const kept = await start("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    await untilOutput(kept, "ready\n");
    await kept.signal("TERM");
    expect(await kept.ended).toEqual({ code: 3 });
    expect((await readAll(kept)).text).toMatch(/^ready\n(Terminated\n)?bye\n$/);
  });

  it("reports a program that is not there as 127 with the reason in its output", async () => {
    const kept = await startProcess({
      folder: `${root}/run`,
      command: ["nowhere-to-be"],
      cwd: root,
      env,
      keepBytes: 1,
    });
    expect(await kept.ended).toEqual({ code: 127 });
    expect((await kept.lastLines(5)).join()).toMatch(/nowhere-to-be.*not found/);
  });

  it("keeps the newest output within its bound and says exactly how much a late reader missed", async () => {
    const kept = await start("head -c 9437184 /dev/zero; printf end", { keepBytes: 3 * 1024 * 1024 });
    await kept.ended;
    const { bytes, parts } = await readAll(kept);
    const lost = parts.reduce((sum, part) => sum + part.lostBytes!, 0);
    expect(bytes.length).toBeLessThanOrEqual(3 * 1024 * 1024);
    expect(lost + bytes.length).toBe(9_437_184 + 3);
    expect(parts.at(-1)!.position).toBe(9_437_184 + 3);
  });

  it("is read on from a position without gap or repetition, over the border of two files", async () => {
    const kept = await start(
      "i=0; while [ $i -lt 30000 ]; do echo line-$i-padding-padding-padding-padding-padding; i=$((i+1)); done",
    );
    const whole = await readAll(kept);
    expect(whole.bytes.length).toBeGreaterThan(1024 * 1024);
    const middle = whole.parts[3]!.position;
    const rest = await readAll(kept, middle);
    expect(new TextDecoder().decode(whole.bytes.subarray(0, middle)) + rest.text).toBe(whole.text);
  });

  it("goes on when its output cannot be stored, and the gap is marked", async () => {
    await Deno.mkdir(`${root}/run/out/o.1000.aaaaaa`, { recursive: true });
    await Deno.writeTextFile(`${root}/run/out/o.1000.aaaaaa/x`, ""); // the first file cannot be made
    const kept = await start("head -c 3145728 /dev/zero; echo end");
    expect(await kept.ended).toEqual({ code: 0 });
    await Deno.remove(`${root}/run/out/o.1000.aaaaaa`, { recursive: true });
    const { parts, text } = await readAll(kept);
    expect(parts[0]!.lostBytes).toBe(null);
    expect(text.endsWith("end\n")).toBe(true);
  });

  it("ends for its reader when it ended, though a child of it still holds the output", async () => {
    const kept = await start("sleep 5 & echo done", { env: { BOREAS_TASK_ID: "held" } });
    expect((await readAll(kept)).text).toBe("done\n");
    for (const { pid } of await findTagged(["BOREAS_TASK_ID=held"])) sendSignal(pid, "KILL");
  });

  it("is started once per folder, however often it is asked for", async () => {
    const [one, two] = await Promise.all([start("echo $$; exec sleep 60"), start("echo $$; exec sleep 60")]);
    expect(one.pid).toBe(two.pid);
    expect(await untilOutput(one, "\n")).toBe(`${one.pid}\n`);
  });

  it("ignores nothing that a terminal would send", async () => {
    const kept = await start("echo ready; exec sleep 60");
    await untilOutput(kept, "ready\n");
    await kept.signal("INT");
    expect(await kept.ended).toEqual({ code: 130 });
  });

  it("bounds its output also where split has no filter", async () => {
    await Deno.mkdir(`${root}/bin`);
    await Deno.writeTextFile(
      `${root}/bin/split`,
      '#!/bin/sh\ncase "$*" in *--filter*) exit 1;; esac\nexec /usr/bin/split "$@"\n',
      { mode: 0o755 },
    );
    await Deno.mkdir(`${root}/run`);
    const keeper = await new Deno.Command("/bin/sh", {
      args: ["-c", KEEPER, "k", `${root}/run`, "2", env.PATH, "sh", "-c", "head -c 5242880 /dev/zero; sleep 3; exit 4"],
      env: { PATH: `${root}/bin:${env.PATH}` },
      clearEnv: true,
    }).output();
    expect(keeper.success).toBe(true);
    expect(await Deno.readTextFile(`${root}/run/exit`)).toBe("4\n");
    expect([...Deno.readDirSync(`${root}/run/out`)].length).toBe(2);
  });
});

describe("after the agent", () => {
  it("a program survives kill -9 of the agent that started it, and another one reads its log and exit code", async () => {
    const agent = `${root}/agent.ts`;
    await Deno.writeTextFile(
      agent,
      `import { startProcess } from ${JSON.stringify(new URL("./process.ts", import.meta.url).href)};
       const kept = await startProcess({ folder: ${
        JSON.stringify(`${root}/run`)
      }, cwd: "/", env: { PATH: "/usr/bin:/bin" },
         keepBytes: 1e6, command: ["sh", "-c", "echo before; while [ ! -e ${root}/go ]; do sleep 0.02; done; echo after; exit 9"] });
       console.log(kept.pid);
       await new Promise(() => setInterval(() => {}, 1000));`,
    );
    // With the permissions that the agent has, and no others.
    const flags = ["--allow-read", "--allow-write", "--allow-run", "--allow-env", "--allow-net", "--allow-sys"];
    const child = new Deno.Command(Deno.execPath(), { args: ["run", "--no-lock", ...flags, agent], stdout: "piped" })
      .spawn();
    const reader = child.stdout.getReader();
    const pid = Number(new TextDecoder().decode((await reader.read()).value));
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();

    const kept = (await adoptProcess(`${root}/run`))!;
    started.push(kept);
    expect([kept.pid, kept.hasEnded(), await isRunning(kept.mark)]).toEqual([pid, false, true]);
    await Deno.writeTextFile(`${root}/go`, "");
    expect(await kept.ended).toEqual({ code: 9 });
    expect((await readAll(kept)).text).toBe("before\nafter\n");
    expect(await (await adoptProcess(`${root}/run`))!.ended).toEqual({ code: 9 });
  });

  it("a pid that now is someone else's is not taken for the program, nor signalled", async () => {
    const kept = await start("exec sleep 60");
    const text = await Deno.readTextFile(`${root}/run/process`);
    await Deno.mkdir(`${root}/other`);
    await Deno.writeTextFile(
      `${root}/other/process`,
      text.replace(/(\d+)( \d+ \d+ \d+ \d+)/, "1$1$2").replace(String(kept.pid), String(kept.pid)).replace(
        /\) (\S+( \S+){18}) (\d+)/,
        ") $1 7",
      ),
    );
    const other = (await adoptProcess(`${root}/other`))!;
    expect(await other.ended).toEqual({ code: null });
    await Deno.mkdir(`${root}/boot`);
    await Deno.writeTextFile(`${root}/boot/process`, text.replace(await readBootId(), "another-boot"));
    const rebooted = (await adoptProcess(`${root}/boot`))!;
    expect(await rebooted.ended).toEqual({ code: null });
    await rebooted.signal("KILL");
    expect(kept.hasEnded()).toBe(false);
  });

  it("nothing is adopted where nothing was started", async () => {
    expect(await adoptProcess(`${root}/none`)).toBeUndefined();
  });
});

describe("the process table", () => {
  it("finds a double-forked child in a session of its own by its environment, and only with every tag", async () => {
    const kept = await start("(setsid sleep 62 &) ; echo ready; exec sleep 63", {
      env: { BOREAS_TASK_ID: `task-${root}`, BOREAS_FENCE: "4" },
    });
    await untilOutput(kept, "ready\n");
    const tag = `BOREAS_TASK_ID=task-${root}`;
    const tags = [tag, "BOREAS_FENCE=4"];
    // The child has a session of its own a moment after it was begun.
    await expect.poll(async () => (await findTagged(tags)).map((one) => one.group === kept.pid).sort())
      .toEqual([false, true]);
    const found = await findTagged(tags);
    expect(found.filter((one) => one.group === kept.pid).map((one) => one.pid)).toEqual([kept.pid]);
    expect(await findTagged([tag, "BOREAS_FENCE=40"])).toEqual([]);
    for (const { pid } of found) sendSignal(pid, "KILL");
    await expect.poll(() => findTagged([tag])).toEqual([]);
  });

  it("reads a stat line whose name holds spaces and parentheses", () => {
    const line = `12 (a) b (c)) S 1 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 3 4`;
    expect(parseStat(line)).toEqual({ state: "S", group: 12, startTime: "987654" });
  });

  it("numbers the keeper's files", () => {
    expect([fileNumber("o.1000.aaaaaa"), fileNumber("o.1000.aaaaba"), fileNumber("o.1001.aaaaaa"), fileNumber("x")])
      .toEqual([0, 26, 2 ** 20, undefined]);
  });
});
