/** The release after this one, as far as a master beside it can tell: this tree with a newer version and more schema. */
import { join } from "node:path";
import { root } from "../../../scripts/build_once.ts";
import { temporaryFolder } from "../../helpers/temporary_folder.ts";

export interface NextRelease {
  version: string;
  /** What becomes of a task of `deno.json`, so that it starts this release. */
  start(task: string): string;
}

/** @param migrations files of SQL that it brings, in order */
export async function makeNextRelease(migrations: Record<string, string>): Promise<NextRelease> {
  const folder = await temporaryFolder("next");
  const version = "99.0.0";
  for await (const { name } of Deno.readDir(root)) {
    if (!name.startsWith(".") && name !== "node_modules") await copy(join(root, name), join(folder, name));
  }
  await Deno.symlink(join(root, "node_modules"), join(folder, "node_modules"));
  await Deno.writeTextFile(
    join(folder, "compose/product_version.ts"),
    `export const PRODUCT_VERSION = ${JSON.stringify(version)};\n`,
  );
  const journalFile = join(folder, "db/migrations/meta/_journal.json");
  const journal = JSON.parse(await Deno.readTextFile(journalFile)) as { entries: { when: number; idx: number }[] };
  for (const [tag, sql] of Object.entries(migrations)) {
    const last = journal.entries.at(-1)!;
    await Deno.writeTextFile(join(folder, `db/migrations/${tag}.sql`), sql);
    journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, ...{ tag } });
  }
  await Deno.writeTextFile(journalFile, JSON.stringify(journal));
  return {
    version,
    // The packages are this tree's: nothing may be installed over them.
    start: (task) => `env -C ${folder} ${task.replace("deno run", "deno run --node-modules-dir=manual")}`,
  };
}

async function copy(from: string, to: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("cp", { args: ["-r", from, to] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
