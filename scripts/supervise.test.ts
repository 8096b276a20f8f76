import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let folder = "";
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "boreas-start-"))));
afterEach(() => rm(folder, { recursive: true }));

/** The starter around two shell scripts; each writes what happens to it into one file. */
function start(scripts: { master: string; agent: string }, graceMs = 5_000) {
  const program = `
    import { supervise } from ${JSON.stringify(new URL("./supervise.ts", import.meta.url).href)};
    const sh = (text) => new Deno.Command("sh", { args: ["-c", text], detached: true, stdin: "null" });
    Deno.exit(await supervise({
      master: sh(${JSON.stringify(scripts.master)}),
      agent: () => sh(${JSON.stringify(scripts.agent)}),
      ready: async (signal) => {
        while (true) {
          signal.throwIfAborted();
          try { await Deno.stat("ready"); return; } catch { await new Promise((done) => setTimeout(done, 10)); }
        }
      },
      say: (sentence) => console.log(sentence),
      pauses: [1, 5],
      graceMs: ${graceMs},
    }));`;
  Deno.writeTextFileSync(join(folder, "starter.ts"), program);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "starter.ts"],
    cwd: folder,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = new Response(child.stdout).text();
  return { child, ended: child.status.then(async ({ code }) => ({ code, output: await output })) };
}

const log = async () => (await readFile(join(folder, "log"), "utf8").catch(() => "")).trim().split("\n");
const said = (line: string) => expect.poll(log).toContain(line);
/** Lives until it is told to end, and says when it was. */
const living = (name: string, onEnd = "exit 0") =>
  `trap 'echo ${name} ends >> log; ${onEnd}' TERM; echo ${name} starts >> log; ` +
  `${name === "master" ? "touch ready; " : ""}while :; do sleep 0.05; done`;

describe("the starter of master and agent", () => {
  it("starts the agent when the master serves, and on SIGTERM ends the agent first", async () => {
    const { child, ended } = start({ master: living("master"), agent: living("agent") });
    await said("agent starts");
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
    expect(await log()).toEqual(["master starts", "agent starts", "agent ends", "master ends"]);
  });

  it("ends both in that order on Ctrl-C too", async () => {
    const { child, ended } = start({ master: living("master"), agent: living("agent") });
    await said("agent starts");
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
    expect((await log()).slice(-2)).toEqual(["agent ends", "master ends"]);
  });

  it("takes signals that come together for one, as when Ctrl-C reaches the group and is passed on", async () => {
    const { child, ended } = start({ master: living("master"), agent: living("agent", "sleep 0.3; exit 0") });
    await said("agent starts");
    for (let i = 0; i < 3; i++) {
      child.kill("SIGINT");
      child.kill("SIGTERM");
    }
    expect((await ended).code).toBe(0);
    expect((await log()).slice(-2)).toEqual(["agent ends", "master ends"]);
  });

  it("leaves at once when it is told again, and nothing stays behind", async () => {
    const stubborn = (name: string) =>
      `echo $$ > ${name}.pid; trap 'echo ${name} asked >> log' TERM; echo ${name} starts >> log; touch ready; ` +
      "while :; do sleep 0.05; done";
    const { child, ended } = start({ master: stubborn("master"), agent: stubborn("agent") }, 60_000);
    await said("agent starts");
    child.kill("SIGTERM");
    await said("agent asked");
    const asking = setInterval(() => child.kill("SIGTERM"), 250);
    await ended.finally(() => clearInterval(asking));
    for (const name of ["master", "agent"]) {
      const pid = Number(await readFile(join(folder, `${name}.pid`), "utf8"));
      expect(() => Deno.kill(pid, "SIGCONT")).toThrow();
    }
  });

  it("gives the master's exit code when that never got to serve, and starts no agent", async () => {
    const { ended } = start({ master: "echo 'Port 8080 is taken.' >&2; exit 7", agent: living("agent") });
    expect((await ended).code).toBe(7);
    expect(await log()).toEqual([""]);
  });

  it("takes the agent down when the master ends by itself, and gives its exit code", async () => {
    const master = "touch ready; until grep -q 'agent starts' log 2>/dev/null; do sleep 0.05; done; exit 9";
    const { ended } = start({ master, agent: living("agent") });
    expect((await ended).code).toBe(9);
    expect(await log()).toEqual(["agent starts", "agent ends"]);
  });

  it("starts an agent again that ended, as often as needed", async () => {
    const agent = "echo agent starts >> log; test $(wc -l < log) -ge 3 && exec sleep 600; exit 4";
    const { child, ended } = start({ master: "touch ready; exec sleep 600", agent });
    await expect.poll(log).toHaveLength(3);
    child.kill("SIGTERM");
    const { code, output } = await ended;
    expect(code).toBe(0);
    expect(output.match(/agent ended with code 4; it starts again/g)).toHaveLength(2);
  });

  it("kills what does not end within its grace", async () => {
    const agent = "trap '' TERM INT; echo agent starts >> log; while :; do sleep 0.05; done";
    const { child, ended } = start({ master: living("master"), agent }, 300);
    await said("agent starts");
    child.kill("SIGTERM");
    const { code, output } = await ended;
    expect(code).toBe(0);
    expect(output).toContain("did not end within 0.3 s and is killed");
    expect((await log()).at(-1)).toBe("master ends");
  });
});
