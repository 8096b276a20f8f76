/** The rows of a backup into an empty schema that was brought to where the backup's was: all of them or none. */
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Tx } from "../database.ts";
import { isAborted } from "../retryable_errors.ts";
import { BackupError } from "./backup_format.ts";
import type { BackupHeader, BackupReader, EndLine, TableLine } from "./backup_format.ts";
import { markRestoring } from "./restoring.ts";
import { quoteNames, readStoredTables } from "./stored_tables.ts";

export interface Load {
  header: BackupHeader;
  reader: BackupReader;
  /** Of all that was read, in hex. */
  digest(): string;
}

export async function loadTables(
  tx: Tx,
  { header, reader, digest }: Load,
  onTable: (done: number, of: number, table: string) => void = () => {},
): Promise<void> {
  const known = new Map((await readStoredTables(tx)).map((one) => [one.table, one]));
  await tx.unsafe(`delete from setting; delete from leader; delete from project`);
  let done = 0;
  while (true) {
    const line = await reader.line<TableLine>();
    if ("end" in line) {
      check(line, done, digest());
      await raiseCounters(tx);
      return await markRestoring(tx, header);
    }
    const { table, columns } = line;
    const there = known.get(table)?.columns ?? [];
    // The names become part of a statement: only such as the database has itself.
    const unknown = columns.filter((name) => !there.includes(name));
    if (unknown.length > 0) throw new BackupError(`The schema has no ${table} (${unknown.join(", ")}).`);
    await fill(tx, table, columns, reader);
    onTable(++done, known.size, table);
  }
}

async function fill(tx: Tx, table: string, columns: string[], reader: BackupReader): Promise<void> {
  const copy: Writable = await tx.unsafe(`copy ${quoteNames([table])} (${quoteNames(columns)}) from stdin`).writable();
  const isOver = new Promise<unknown>((resolve, reject) => {
    const end = copy._final.bind(copy);
    // The driver tells nobody of a refusal that comes behind the last row. What is asked next in the transaction hears of it.
    copy._final = (done) => {
      end(done);
      tx`select 1`.then(resolve, reject);
    };
  });
  try {
    await Promise.all([pipeline(reader.rows(), copy), isOver]);
  } catch (error: unknown) {
    if (!isAborted(error)) throw error;
    throw new BackupError(
      `PostgreSQL refused the rows of ${table}; its log says which, and why. Perhaps the file was damaged or changed.`,
    );
  }
}

function check(end: EndLine, tables: number, digest: string): void {
  if (end.tables !== tables || end.hmac !== digest) {
    throw new BackupError("The file is not what was written: it was damaged, or changed by somebody.");
  }
}

/** COPY puts numbers where the database would have counted: it goes on behind them. */
async function raiseCounters(tx: Tx): Promise<void> {
  for (const { table, counters } of await readStoredTables(tx)) {
    for (const column of counters) {
      const name = quoteNames([table]);
      await tx.unsafe(
        `select setval(pg_get_serial_sequence($1, $2), coalesce(max(${
          quoteNames([column])
        }), 0) + 1, false) from ${name}`,
        [name, column],
      );
    }
  }
}
