/** The files that drizzle-kit wrote, with what our own rules read out of them (docs/decisions/0007-expand-then-contract.md). */
import { readMigrationFiles } from "drizzle-orm/migrator";
import journal from "./migrations/meta/_journal.json" with { type: "json" };

export interface Migration {
  /** `0001_tables` */
  name: string;
  /** When it was generated, in milliseconds: what the database knows it by. */
  at: number;
  hash: string;
  statements: string[];
  /**
   * `-- contract: 0.3.0` in the file: it takes away or forbids what releases before that one use. From then on the
   * database refuses them.
   */
  contract: string | undefined;
  /** It builds indexes beside the writers, which no transaction can do. */
  isConcurrent: boolean;
}

export function readMigrations(): Migration[] {
  const files = readMigrationFiles({ migrationsFolder: new URL("./migrations", import.meta.url).pathname });
  return files.map((file, i) => toMigration(journal.entries[i]!.tag, file.folderMillis, file.hash, file.sql));
}

export function toMigration(name: string, at: number, hash: string, texts: readonly string[]): Migration {
  const contract = /^--\s*contract:\s*(\S+)\s*$/m.exec(texts.join("\n"))?.[1];
  if (contract !== undefined && !/^\d+\.\d+\.\d+$/.test(contract)) {
    throw new Error(`${name}: "-- contract: ${contract}" must name a release, such as 0.3.0.`);
  }
  const statements = texts.map(withoutComments).filter(Boolean);
  const isConcurrent = statements.some(isIndexBeside);
  if (isConcurrent && !statements.every(isIndexBeside)) {
    throw new Error(`${name}: indexes that are built concurrently need a file of their own.`);
  }
  return { name, at, hash, statements, contract, isConcurrent };
}

/** Whole lines only: a function's body may hold `--` within text. */
const withoutComments = (sql: string) =>
  sql.split("\n").filter((line) => !line.trimStart().startsWith("--")).join("\n").trim();
const isIndexBeside = (statement: string) => /^(create (unique )?|drop )index concurrently\b/i.test(statement);

/** Releases in their order. */
export function isOlder(release: string, than: string): boolean {
  const [a, b] = [release, than].map((text) => text.split(/[.-]/).slice(0, 3).map(Number)) as [number[], number[]];
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i]! < b[i]!;
  return false;
}
