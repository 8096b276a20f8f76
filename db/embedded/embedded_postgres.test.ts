import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, describe, expect, it } from "vitest";
import { startMaster } from "../../tests/helpers/start_embedded_master.ts";
import { startEmbeddedPostgres } from "./embedded_postgres.ts";
import type { EmbeddedServer } from "./embedded_postgres.ts";
import { probeServer } from "./probe_server.ts";

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "boreas-embedded-"));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(dataDir: string): Promise<EmbeddedServer> {
  const server = await startEmbeddedPostgres({ dataDir, fsync: false });
  undo.push(() => server.stop());
  return server;
}

async function query<T>(server: EmbeddedServer, ask: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres({ ...server.connection, max: 1, onnotice: () => {} });
  try {
    return await ask(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

const pidOf = async (folder: string) =>
  Number((await readFile(join(folder, "postgres/postmaster.pid"), "utf8")).split("\n")[0]);
const isRoot = Deno.uid() === 0;
const NOBODY = 65534;

describe("the embedded server", () => {
  it("starts, answers, and stops cleanly, also when it is told twice", async () => {
    const folder = await freshFolder();
    const server = await start(folder);
    expect(server.adopted).toBe(false);
    expect(await query(server, (sql) => sql`show fsync`)).toEqual([{ fsync: "off" }]);
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(await probeServer(server.connection)).toBe("absent");
    await expect(stat(join(folder, "postgres/postmaster.pid"))).rejects.toThrow("ENOENT");
  });

  it("stops without complaint when the server is gone already", async () => {
    const folder = await freshFolder();
    const server = await start(folder);
    Deno.kill(await pidOf(folder), "SIGKILL");
    await expect.poll(() => probeServer(server.connection)).toBe("absent");
    await server.stop();
  });

  it("keeps its folder closed to others and syncs every commit unless told otherwise", async () => {
    const folder = join(await freshFolder(), "data");
    const server = await startEmbeddedPostgres({ dataDir: folder });
    undo.push(() => server.stop());
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const [row] = await query(
      server,
      (sql) => sql`select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`,
    );
    expect(row).toEqual({ fsync: "on", commit: "on" });
  });

  it("uses a private folder for the socket when the data's path is too long for one", async () => {
    const folder = join(await freshFolder(), "x".repeat(120));
    const server = await start(folder);
    undo.push(() => rm(server.connection.host, { recursive: true, force: true }));
    expect(server.connection.host).toMatch(new RegExp(`^/tmp/boreas-${Deno.uid()}/[0-9a-f]{16}$`));
    expect((await stat(server.connection.host)).mode & 0o777).toBe(0o700);
    expect(await query(server, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
  });

  it("makes a cluster anew when the first start was interrupted half way", async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, "postgres.new/base"), { recursive: true });
    await writeFile(join(folder, "postgres.new/PG_VERSION"), "18\n");
    const server = await start(folder);
    expect(await query(server, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
  });

  it("starts although a stranger has the process number that a dead server left in its lock files", async () => {
    const folder = await freshFolder();
    const first = await start(folder);
    const lock = await readFile(join(folder, "postgres/postmaster.pid"), "utf8");
    await first.stop();
    const stranger = new Deno.Command("sleep", { args: ["600"] }).spawn();
    undo.push(async () => {
      stranger.kill("SIGKILL");
      await stranger.status;
    });
    const stale = lock.replace(/^\d+/, String(stranger.pid));
    await writeFile(join(folder, "postgres/postmaster.pid"), stale);
    await writeFile(join(first.connection.host, ".s.PGSQL.5432.lock"), stale.split("\n").slice(0, 5).join("\n"));
    const second = await start(folder);
    expect(await query(second, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
  });

  it("says in the server's own words why it did not start", async () => {
    const folder = await freshFolder();
    const server = await start(folder);
    await server.stop();
    await writeFile(join(folder, "postgres/PG_VERSION"), "9\n");
    await expect(startEmbeddedPostgres({ dataDir: folder, startSeconds: 1 })).rejects.toThrow(
      /did not start within 1 s.*incompatible/s,
    );
  });
});

describe("a master that ends without warning", () => {
  it("holds its folder: a second process on it refuses with a sentence", async () => {
    const folder = await freshFolder();
    const master = await startMaster(folder, undo);
    const second = await new Deno.Command(Deno.execPath(), { args: master.args, stdout: "null", stderr: "piped" })
      .output();
    expect(second.code).toBe(3);
    expect(new TextDecoder().decode(second.stderr)).toContain(
      `Another Boreas already runs on the data folder ${folder}. Stop it first, or set BOREAS_DATA_DIR to another folder.`,
    );
  });

  it("is killed: the next one adopts the running server, and every commit it had told of is there", async () => {
    const folder = await freshFolder();
    const master = await startMaster(folder, undo);
    const said = await master.committed(50);
    master.kill();
    await master.ended;
    const server = await start(folder);
    expect(server.adopted).toBe(true);
    const [row] = await query(server, (sql) => sql`select count(*)::int as n from kept where n <= ${said}`);
    expect(row!.n).toBe(said);
  });

  it("is killed together with its server: a restart loses nothing that was told of", async () => {
    const folder = await freshFolder();
    for (let round = 1; round <= 2; round++) {
      const master = await startMaster(folder, undo);
      await master.committed(20);
      Deno.kill(await pidOf(folder), "SIGKILL");
      master.kill();
      const said = await master.ended;
      const server = await startEmbeddedPostgres({ dataDir: folder });
      const [row] = await query(
        server,
        (sql) => sql`select count(*)::int as n, max(n)::int as last from kept where n <= ${said}`,
      );
      expect(row).toEqual({ n: said, last: said });
      await query(server, (sql) => sql`truncate kept`);
      await server.stop();
    }
  });
});

describe.runIf(isRoot)("as root", () => {
  it("never runs PostgreSQL with root's rights", async () => {
    const folder = await freshFolder();
    await start(folder);
    const status = await readFile(`/proc/${await pidOf(folder)}/status`, "utf8");
    expect(status).toMatch(/^CapEff:\s+0+$/m);
  });

  it("becomes the owner of a home that is closed to others, and stays the owner of its cluster", async () => {
    const home = await freshFolder();
    await chown(home, NOBODY, NOBODY);
    await chmod(home, 0o700);
    const first = await start(join(home, "data"));
    expect(await query(first, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
    expect((await stat(join(home, "data/postgres"))).uid).toBe(NOBODY);
    expect((await stat(`/proc/${await pidOf(join(home, "data"))}`)).uid).toBe(NOBODY);
    await first.stop();
    const second = await start(join(home, "data"));
    expect(second.adopted).toBe(false);
    expect(await query(second, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
  });

  it("starts under a user that is not root", async () => {
    const folder = await freshFolder();
    await chown(folder, NOBODY, NOBODY);
    const master = await startMaster(folder, undo, { uid: NOBODY, gid: NOBODY });
    await master.committed(1);
    expect((await stat(`/proc/${await pidOf(folder)}`)).uid).toBe(NOBODY);
    master.kill();
    await master.ended;
    const server = await start(folder);
    expect(server.adopted).toBe(true);
  });
});
