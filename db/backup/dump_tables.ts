/** Everything that is to be kept, as it was at one instant, while all masters go on working. */
import { Buffer } from "node:buffer";
import type { Sql } from "../client.ts";
import { createSeal, END_OF_ROWS, FORMAT, FORMAT_VERSION } from "./backup_format.ts";
import type { BackupHeader, EndLine, TableLine } from "./backup_format.ts";
import { quoteNames, readStoredTables } from "./stored_tables.ts";

export interface DumpWish extends Pick<BackupHeader, "product" | "keyCheck" | "authority" | "secretKey"> {
  /** What the file is sealed with. */
  sealKey: Uint8Array;
  /** Told after each table, with what it took in bytes. */
  onTable(done: number, of: number, table: string, bytes: number): void;
}

/**
 * One transaction that only reads: it stops no writer, and holds no event back, because it has no number of its own.
 * @param put takes the bytes, in order, and may make us wait
 */
export async function dumpTables(
  sql: Sql,
  wish: DumpWish,
  put: (bytes: Uint8Array) => Promise<void>,
): Promise<BackupHeader> {
  const seal = await createSeal(wish.sealKey);
  const write = async (bytes: Uint8Array) => {
    seal.update(bytes);
    await put(bytes);
  };
  const line = (value: BackupHeader | TableLine) => write(Buffer.from(`${JSON.stringify(value)}\n`));
  return await sql.begin("isolation level repeatable read read only", async (tx) => {
    const [now] = await tx<{ takenAt: string; masterId: string | null; migrations: number[] }[]>`
      select boreas_now() as taken_at, (select value #>> '{}' from setting where key = 'masterId') as master_id,
        (select array_agg(created_at::float8 order by created_at) from drizzle.__drizzle_migrations) as migrations`;
    const { product, keyCheck, authority, secretKey } = wish;
    const header: BackupHeader = {
      ...{ format: FORMAT, formatVersion: FORMAT_VERSION, product, ...now! },
      ...{ keyCheck, authority, secretKey },
    };
    await line(header);
    const tables = await readStoredTables(tx);
    for (const [at, { table, columns }] of tables.entries()) {
      await line({ table, columns });
      let bytes = 0;
      const rows = await tx.unsafe(`copy ${quoteNames([table])} (${quoteNames(columns)}) to stdout`).readable();
      for await (const part of rows) {
        bytes += (part as Uint8Array).length;
        await write(part as Uint8Array);
      }
      await write(Buffer.from(END_OF_ROWS));
      wish.onTable(at + 1, tables.length, table, bytes);
    }
    const end: EndLine = { end: true, tables: tables.length, hmac: seal.digest("hex") };
    await put(Buffer.from(`${JSON.stringify(end)}\n`));
    return header;
  });
}
