/** `deno task start` as a newcomer types it, on a folder and a port of its own. */
import { access, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePorts } from "../helpers/free_ports.ts";

const root = join(import.meta.dirname!, "../..");
const undo: (() => Promise<unknown>)[] = [];
let folder = "";
let port = 0;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "boreas-start-"));
  port = freePorts(1)[0]!;
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  await rm(folder, { recursive: true, force: true });
});

interface Started {
  child: Deno.ChildProcess;
  /** All it said so far, on both outputs. */
  said(): string;
  ended: Promise<number>;
}

/** Runs with the environment of a plain machine: no deno is in the PATH of its own. */
function start(env: Record<string, string> = {}): Started {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "start"],
    cwd: root,
    clearEnv: true,
    env: {
      HOME: Deno.env.get("HOME")!,
      PATH: "/usr/bin:/bin",
      BOREAS_PORT: String(port),
      BOREAS_DATA_DIR: join(folder, "data"),
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part;
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  const ended = child.status.then(async ({ code }) => {
    await reading;
    return code;
  });
  let over = false;
  ended.then(() => over = true);
  undo.push(async () => {
    if (!over) child.kill("SIGTERM");
    await ended;
  });
  return { child, said: () => text, ended };
}

const url = (path: string) => `http://127.0.0.1:${port}${path}`;
const ready = () => fetch(url("/v1/ready")).then(async (r) => (await r.body?.cancel(), r.status), () => 0);
const until = (wanted: () => unknown) => expect.poll(wanted, { timeout: 90_000, interval: 100 });

async function agents(): Promise<{ embedded: boolean; status: string }[]> {
  const password = (await readFile(join(folder, "data/admin.password"), "utf8")).trim();
  const signedIn = await fetch(url("/api/v1/auth/login"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password }),
  });
  const { accessToken } = await signedIn.json() as { accessToken: string };
  const answer = await fetch(url("/api/v1/agents"), { headers: { authorization: `Bearer ${accessToken}` } });
  return (await answer.json() as { items: { embedded: boolean; status: string }[] }).items;
}

describe("deno task start", () => {
  it("serves, connects this machine's agent, ends in order, and comes back faster without building", async () => {
    const first = start();
    await until(ready).toBe(200);
    expect(first.said()).toMatch(/Sign in as admin with the password \S+/);
    await until(async () => (await agents()).filter((a) => !a.embedded).map((a) => a.status)).toEqual(["connected"]);
    first.child.kill("SIGTERM");
    expect(await first.ended).toBe(0);
    await expect(access(join(folder, "data/postgres/postmaster.pid"))).rejects.toThrow("ENOENT");
    expect(first.said().indexOf('"agent stopping"')).toBeGreaterThan(0);
    expect(first.said().lastIndexOf('"stopped"')).toBeGreaterThan(first.said().indexOf('"agent stopping"'));

    const second = start();
    await until(ready).toBe(200);
    await until(async () => (await agents()).filter((a) => !a.embedded).map((a) => a.status)).toEqual(["connected"]);
    expect(second.said()).not.toMatch(/Building|Sign in as admin/);
  }, 180_000);

  it("keeps its data folder closed to others", async () => {
    start({ BOREAS_LOCAL_AGENT: "off" });
    await until(ready).toBe(200);
    expect((await stat(join(folder, "data"))).mode & 0o077).toBe(0);
    for (const secret of ["secret.key", "admin.password", "local-agent.token"]) {
      const mode = await stat(join(folder, "data", secret)).then((s) => s.mode & 0o077, () => 0);
      expect([secret, mode]).toEqual([secret, 0]);
    }
  }, 180_000);

  it("starts no agent when told so", async () => {
    const only = start({ BOREAS_LOCAL_AGENT: "off" });
    await until(ready).toBe(200);
    expect((await agents()).every((agent) => agent.embedded)).toBe(true);
    expect(only.said()).not.toContain('"service":"agent"');
  }, 180_000);

  it("passes on the sentence of a taken port, and ends with the master's code", async () => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port });
    const refused = start();
    expect(await refused.ended).toBe(1);
    taken.close();
    expect(refused.said()).toContain(`Port ${port} is taken by another process`);
  }, 180_000);

  it("passes on the sentence of a folder that another master has", async () => {
    start({ BOREAS_LOCAL_AGENT: "off" });
    await until(ready).toBe(200);
    const second = start({ BOREAS_PORT: String(freePorts(1)[0]) });
    expect(await second.ended).toBe(1);
    expect(second.said()).toContain(`Another Boreas already runs on the data folder ${join(folder, "data")}`);
  }, 180_000);

  it("passes on the sentence of a missing git", async () => {
    const bare = join(folder, "bin");
    await Deno.mkdir(bare);
    for (const program of ["sh", "id", "unshare", "cat"]) {
      const path = ["/usr/bin", "/bin"].map((place) => join(place, program)).find((path) => {
        try {
          return Deno.statSync(path).isFile;
        } catch (error: unknown) {
          if (error instanceof Deno.errors.NotFound) return false;
          throw error;
        }
      });
      if (path) await Deno.symlink(path, join(bare, program));
    }
    const refused = start({ PATH: bare, BOREAS_LOCAL_AGENT: "off" });
    const serves = until(ready).toBe(200).then(() => "serves all the same", () => "does nothing");
    expect(await Promise.race([refused.ended, serves])).toBe(1);
    expect(refused.said()).toMatch(/boreas: .*git/i);
  }, 180_000);
});

it("is what deno.json calls by its name", async () => {
  const { tasks } = JSON.parse(await readFile(join(root, "deno.json"), "utf8")) as { tasks: Record<string, string> };
  for (const name of ["start", "demo", "test", "check", "dev", "boreas", "master", "agent"]) {
    expect(tasks[name]).toBeTypeOf("string");
  }
  expect(dirname(tasks.start!.split(" ").at(-1)!)).toBe("scripts");
});
