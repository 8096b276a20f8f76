/**
 * The Deno that runs here, packed for agents of machines of the same type: `.build/runtime/VERSION/deno-linux-amd64.gz`
 * and what is in it. Nothing is downloaded; other types are uploaded by a person (`boreas runtime upload`).
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildOnce, root } from "./build_once.ts";

const VERSION = Deno.version.deno;
const FOLDER = `.build/runtime/${VERSION}`;
const NAME = `deno-${Deno.build.os}-${Deno.build.arch === "x86_64" ? "amd64" : "arm64"}`;

/** @returns whether anything had to be built */
export async function buildRuntime(say: (sentence: string) => void): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  return await buildOnce({ name: `runtime-${VERSION}`, sources: [], output: `${FOLDER}/${NAME}.json`, run: pack }, say);
}

async function pack(): Promise<void> {
  const folder = join(root, FOLDER);
  await Deno.mkdir(folder, { recursive: true });
  const hash = createHash("sha256");
  let size = 0;
  using program = await Deno.open(Deno.execPath());
  const counted = program.readable.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(part, controller) {
        hash.update(part);
        size += part.length;
        controller.enqueue(part);
      },
    }),
  );
  await Deno.writeFile(join(folder, `${NAME}.gz`), counted.pipeThrough(new CompressionStream("gzip")));
  const found = { name: NAME, sha256: hash.digest("hex"), size };
  await Deno.writeTextFile(join(folder, `${NAME}.json`), JSON.stringify(found));
}

if (import.meta.main) {
  if (!await buildRuntime(console.log)) console.log("The runtime is packed already");
}
