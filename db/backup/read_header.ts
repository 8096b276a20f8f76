import { readMigrations } from "../read_migrations.ts";
import { BackupError, FORMAT, FORMAT_VERSION } from "./backup_format.ts";
import type { BackupHeader, BackupReader } from "./backup_format.ts";

/** @throws BackupError when this release cannot live with what the backup has */
export async function readHeader(reader: BackupReader, productVersion: string): Promise<BackupHeader> {
  const header = await reader.line<BackupHeader>() as BackupHeader;
  if (header.format !== FORMAT) throw new BackupError("The file is no backup of Boreas.");
  const known = new Set(readMigrations().map((m) => m.at));
  if (header.formatVersion <= FORMAT_VERSION && header.migrations.every((at) => known.has(at))) return header;
  throw new BackupError(
    `This is Boreas ${productVersion}, and the backup is of a newer one (${header.product}), whose tables this release does not know. Restore it with that release or a newer one.`,
  );
}
