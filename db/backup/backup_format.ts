/**
 * A backup as bytes, before it is compressed. Lines of JSON, and between them the rows as PostgreSQL's COPY writes them
 * (text, so that any server from 15 on reads them):
 *
 *   {header} {"table","columns"} row row ... \. {"table","columns"} ... \. {"end"}
 *
 * The last line carries an HMAC over every byte before it, under a key that derives from BOREAS_SECRET_KEY: a file that
 * was cut, damaged or changed by somebody else does not pass, and nothing of it stays (the load is one transaction).
 */
import { Buffer } from "node:buffer";
import { createHmac, type Hmac } from "node:crypto";
import { deriveKey } from "../secrets/vault.ts";

export const FORMAT = "boreas-backup";
export const FORMAT_VERSION = 1;
/** After the last row of a table: no row is that, because COPY writes a backslash twice. */
export const END_OF_ROWS = "\\.\n";

export interface BackupHeader {
  format: typeof FORMAT;
  formatVersion: number;
  product: string;
  takenAt: string;
  masterId: string | null;
  /** What the schema had been brought to: each migration by its instant, as the database knows it. */
  migrations: number[];
  /** A known text, sealed with the key that everything in here is sealed with (base64). */
  keyCheck: string;
  /** The master's own certificate authority, `{cert, key}`, sealed likewise; null when it had none. */
  authority: string | null;
  /** The key itself, in base64, for who asked for that. */
  secretKey: string | null;
}
export interface TableLine {
  table: string;
  columns: string[];
}
export interface EndLine {
  end: true;
  tables: number;
  hmac: string;
}

/** The file is not a whole backup that this key wrote; the sentence says why. */
export class BackupError extends Error {}

export const createSeal = async (secretKey: Uint8Array): Promise<Hmac> =>
  createHmac("sha256", await deriveKey(secretKey, "boreas.backup.v1", 32));

/** Takes a backup apart: lines of JSON, and rows in whole lines. */
export function createBackupReader(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let seal: Hmac | undefined;
  /** Read before the key was known. */
  const early: Buffer[] = [];

  async function more(): Promise<void> {
    const next = await pieces.next().catch((error: unknown) => {
      throw new BackupError(`The file is damaged: ${error instanceof Error ? error.message : error}.`, {
        cause: error,
      });
    });
    if (next.done) throw new BackupError("The file is cut short: its end is missing.");
    rest = rest.length === 0 ? Buffer.from(next.value) : Buffer.concat([rest, next.value]);
  }
  function take(length: number, isSealed = true): Buffer {
    const taken = rest.subarray(0, length);
    rest = rest.subarray(length);
    if (isSealed) seal ? seal.update(taken) : early.push(Buffer.from(taken));
    return taken;
  }

  return {
    /** Lets go of the source, wherever it was. */
    async close(): Promise<void> {
      await pieces.return?.().catch(() => {}); // it may be what failed
    },
    /** From now on, and for all that was read before. */
    sealWith(hmac: Hmac) {
      for (const bytes of early.splice(0)) hmac.update(bytes);
      seal = hmac;
    },
    /** The line that ends it is not part of what it seals. */
    async line<T>(): Promise<T | EndLine> {
      let end = rest.indexOf("\n");
      while (end < 0) {
        await more();
        end = rest.indexOf("\n");
      }
      let value: T | EndLine;
      try {
        value = JSON.parse(rest.subarray(0, end).toString()) as T | EndLine;
      } catch (error: unknown) {
        throw new BackupError("The file is no backup of Boreas, or it is damaged.", { cause: error });
      }
      const isEnd = typeof value === "object" && value !== null && "end" in value;
      take(end + 1, !isEnd);
      return value;
    },
    /** The rows up to the end of the table, in pieces of whole lines. */
    async *rows(): AsyncGenerator<Buffer> {
      const inner = `\n${END_OF_ROWS}`;
      while (true) {
        if (rest.length >= END_OF_ROWS.length && rest.subarray(0, END_OF_ROWS.length).toString() === END_OF_ROWS) {
          take(END_OF_ROWS.length);
          return;
        }
        const end = rest.indexOf(inner);
        const length = end >= 0 ? end + 1 : rest.lastIndexOf("\n") + 1;
        // What might be the beginning of the end waits for the rest of it.
        if (length > 0 && (end >= 0 || rest.length > END_OF_ROWS.length)) yield take(length);
        else await more();
      }
    },
  };
}
export type BackupReader = ReturnType<typeof createBackupReader>;
