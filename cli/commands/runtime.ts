import { command } from "../command.ts";
import { CliError, usageError } from "../host.ts";
import { printList, printResult, sayAge } from "../print.ts";

const ARCHES = ["amd64", "arm64"];
const MIB = 1024 * 1024;

export const runtime = command({
  summary: "show or upload what agents of another machine type run on",
  usage: "runtime [list | upload FILE --arch ARCH]",
  details: `A master hands out the runtime of its own machine type. For another one take the deno program of that type
(deno-aarch64-unknown-linux-gnu.zip of the same release, unpacked) and upload it once.
Example:
  boreas runtime upload --os linux --arch arm64 ./deno`,
  flags: {
    os: { type: "string", value: "OS", help: "upload: linux, which is all there is" },
    arch: { type: "string", value: "ARCH", help: `upload: ${ARCHES.join(" or ")}` },
  },
  positionals: [0, 2],
  async run(context, [word = "list", path], { os = "linux", arch }) {
    if (word === "list" && path === undefined) {
      const all = await (await context.api()).runtimes();
      printList(
        context,
        all,
        ["machine", "size", "sha256", "uploaded by", "when"],
        (r) => [
          `${r.os} ${r.arch}`,
          `${(r.size / MIB).toFixed(0)} MiB`,
          r.sha256.slice(0, 16),
          r.createdBy,
          sayAge(r.createdAt, context.host.now()),
        ],
        "No runtime was uploaded; the master has that of its own machine type.",
      );
      return 0;
    }
    if (word !== "upload") throw usageError(`Unknown word "${word}" after runtime; there is list, upload.`);
    if (path === undefined) throw usageError("Say which file: boreas runtime upload FILE --arch ARCH.");
    if (os !== "linux") throw usageError(`--os takes linux, not "${os}": agents run on Linux.`);
    if (!arch || !ARCHES.includes(arch)) throw usageError(`--arch takes ${ARCHES.join(" or ")}: the machines' type.`);
    const program = await context.host.readBytes(path);
    if (!program) throw new CliError(`There is no file ${path}.`);
    const packed = await gzip(program);
    context.host.writeError(`Uploading ${(packed.length / MIB).toFixed(0)} MiB ...\n`);
    const kept = await (await context.api()).uploadRuntime(os, arch, packed);
    printResult(context, kept, `Machines of type ${os} ${arch} can be enrolled now (SHA-256 ${kept.sha256}).`);
    return 0;
  },
});

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
