/** A PostgreSQL server of a test file's own, over TCP: to be crashed, restarted, set read-only, or put behind something. */
import { join } from "node:path";
import { afterAll } from "vitest";
import { openClient } from "../../../db/client.ts";
import type { Sql } from "../../../db/client.ts";
import { findBinaries } from "../../../db/embedded/binaries.ts";
import { ownerOfFolders, runAsServerUser } from "../../../db/embedded/server_user.ts";
import { freePorts } from "../../helpers/free_ports.ts";
import { temporaryFolder } from "../../helpers/temporary_folder.ts";

export interface OwnPostgres {
  host: string;
  port: number;
  /** `via`: the same database behind a proxy or a pooler on this port. */
  url(database: string, via?: number): string;
  /** Makes an empty database and a client on it. */
  database(name: string): Promise<Sql>;
  /** `immediate` is a crash: nothing is said goodbye to, and the log is replayed. */
  restart(mode: "fast" | "immediate"): Promise<void>;
  /** Sets a parameter for all and waits until it is read. */
  configure(name: string, value: string): Promise<void>;
}

const USER = "boreas";
/** Registered once for the file: a hook that is made within a hook may never run. */
const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0)) await end();
});

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const folder = await temporaryFolder("postgres");
  const [port] = freePorts(1);
  const data = join(folder, "data");
  const { initdb, pgCtl } = findBinaries();
  const user = await makeCluster(initdb, folder, data);
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "200",
    shared_buffers: "64MB",
    fsync: "off",
    logging_collector: "on",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`).join("");
  await Deno.writeTextFile(join(data, "postgresql.conf"), lines, { append: true });
  await runAsServerUser(user, pgCtl, ["start", "-D", data, "-w", "-s", "-l", join(data, "start.log")]);

  const url = (database: string, via = port) => `postgres://${USER}@127.0.0.1:${via}/${database}`;
  const admin = openClient(url("postgres"), { max: 1 });
  const clients: Sql[] = [admin];
  ends.push(async () => {
    await Promise.all(clients.map((client) => client.end({ timeout: 1 })));
    await runAsServerUser(user, pgCtl, ["stop", "-D", data, "-w", "-s", "-m", "immediate"]);
  });
  return {
    host: "127.0.0.1",
    port: port!,
    url,
    async database(name) {
      await admin.unsafe(`create database ${name}`);
      const client = openClient(url(name), { max: 4 });
      clients.push(client);
      return client;
    },
    async restart(mode) {
      await runAsServerUser(user, pgCtl, [
        "restart",
        "-D",
        data,
        "-w",
        "-s",
        "-m",
        mode,
        "-l",
        join(data, "start.log"),
      ]);
    },
    async configure(name, value) {
      await admin.unsafe(`alter system set ${name} = '${value}'`);
      await admin`select pg_reload_conf()`;
    },
  };
}

async function makeCluster(initdb: string, folder: string, data: string) {
  const make = async (user: ReturnType<typeof ownerOfFolders>) => {
    if (user) await Deno.chown(folder, user.uid, user.gid);
    await runAsServerUser(user, initdb, [
      "-D",
      data,
      "-U",
      USER,
      "--auth=trust",
      "--encoding=UTF8",
      "--locale=C",
      "-N",
    ]);
    return user;
  };
  try {
    return await make(undefined);
  } catch (error: unknown) {
    const owner = ownerOfFolders(folder); // where root cannot stay itself in a namespace
    if (!owner) throw error;
    return await make(owner);
  }
}
