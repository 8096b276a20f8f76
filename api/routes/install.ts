/** What a machine needs to become an agent, for anybody: nothing in it is secret, and the script says what to expect. */
import { createHash } from "node:crypto";
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { AppError } from "../../domain/app_error.ts";
import { storeBlob } from "../../db/blobs/store_blob.ts";
import { listRuntimes } from "../../db/install/read_runtimes.ts";
import { recordRuntime } from "../../db/install/record_runtime.ts";
import { PROTOCOL } from "../../protocol/agent_messages.ts";
import { AgentRuntime } from "../../protocol/http_api.ts";
import { ReleaseManifest } from "../../protocol/release.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { listAgentFiles, openAgentFile, runtimeName } from "../install/agent_files.ts";
import { checkRuntime } from "../install/check_runtime.ts";
import { fillScript } from "../install/fill_script.ts";
import { authorityFingerprint, publicAddress } from "../install/public_address.ts";
import { tarOf } from "../install/tar.ts";
import { pullStream } from "../live/pull_stream.ts";
import { limit } from "../middleware/rate_limit.ts";
import { actorOf, createRouter, json, problemResponses } from "../route.ts";

/** Per minute from one address: a rack of a hundred machines may be behind one, and each takes about five files. */
const DOWNLOADS_PER_ADDRESS = 600;
const tags = ["agents"];
const binary = (description: string, type = "application/octet-stream") => ({
  description,
  content: { [type]: { schema: z.string().meta({ format: "binary" }) } },
});
const Machine = z.object({ os: z.enum(["linux"]), arch: z.enum(["amd64", "arm64"]) });

const script = createRoute({
  method: "get",
  path: "/install.sh",
  tags,
  summary: "The install script of this master (POSIX sh)",
  responses: { 200: binary("The script", "text/x-shellscript"), ...problemResponses },
});
const manifest = createRoute({
  method: "get",
  path: "/install/manifest",
  tags,
  summary: "The agent that this master hands out: its version and its files, signed; a machine takes what it needs",
  responses: { 200: json(ReleaseManifest, "The manifest"), ...problemResponses },
});
const runtimes = createRoute({
  method: "get",
  path: "/install/runtimes",
  tags,
  summary: "Runtimes that were uploaded for other machine types than the master's",
  responses: { 200: json(z.object({ items: z.array(AgentRuntime) }), "All of them"), ...problemResponses },
});
const upload = createRoute({
  method: "put",
  path: "/install/runtimes/{os}/{arch}",
  tags,
  summary: "Upload the runtime for a machine type: the deno program, packed with gzip",
  request: { params: Machine, body: { required: true, ...binary("The packed program", "application/gzip") } },
  responses: { 200: json(AgentRuntime, "What was kept"), ...problemResponses },
});
const offline = createRoute({
  method: "get",
  path: "/install/offline/{archive}",
  tags,
  summary: "Everything for machines of one type, as a tar archive: unpack it, then run install.sh in it",
  request: { params: z.object({ archive: z.string().regex(/^linux-(amd64|arm64)\.tar$/, "is linux-amd64.tar") }) },
  responses: { 200: binary("The archive", "application/x-tar"), ...problemResponses },
});
const file = createRoute({
  method: "get",
  path: "/install/{name}",
  tags,
  summary: "A file of the manifest; with .gz at the end of its name, packed",
  request: { params: z.object({ name: z.string().max(200) }) },
  responses: { 200: binary("The file"), ...problemResponses },
});

export function installRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();

  router.openapi(script, async (c) => c.body(await scriptFor(deps, c), 200, { "Content-Type": "text/x-shellscript" }));
  router.openapi(manifest, async (c) => {
    const { version } = agentFiles(deps);
    if (!deps.release) throw notBuilt();
    const signed = await deps.release.sign({ version, protocol: PROTOCOL, files: await listAgentFiles(deps) });
    return c.json(ReleaseManifest.parse(signed), 200);
  });
  router.openapi(runtimes, async (c) => {
    const rows = await listRuntimes(deps.db);
    return c.json({ items: rows.map((row) => AgentRuntime.parse(row)) }, 200);
  });
  router.openapi(upload, async (c) => {
    const { os, arch } = c.req.valid("param");
    const packed = new Uint8Array(await c.req.arrayBuffer());
    const { sha256, size } = await checkRuntime(packed, arch);
    const blobSha256 = createHash("sha256").update(packed).digest("hex");
    await storeBlob(deps.db, blobSha256, packed);
    const row = await recordRuntime(deps.db, { os, arch, sha256, size, blobSha256 }, actorOf(c));
    return c.json(AgentRuntime.parse(row), 200);
  });
  router.openapi(offline, async (c) => {
    await limit(deps.limiter, `install:${c.get("peer")}`, DOWNLOADS_PER_ADDRESS, 60);
    const [, arch] = c.req.valid("param").archive.match(/^linux-(.+)\.tar$/)!;
    const archive = await offlineArchive(deps, c, arch!);
    return c.body(archive.body, 200, {
      "Content-Type": "application/x-tar",
      "Content-Length": String(archive.size),
      "Content-Disposition": `attachment; filename="boreas-agent-${deps.agentFiles!.version}-linux-${arch}.tar"`,
    });
  });
  router.openapi(file, async (c) => {
    await limit(deps.limiter, `install:${c.get("peer")}`, DOWNLOADS_PER_ADDRESS, 60);
    const { name } = c.req.valid("param");
    const isPacked = name.endsWith(".gz");
    const plain = isPacked ? name.slice(0, -".gz".length) : name;
    const known = (await listAgentFiles(deps)).find((one) => one.name === plain);
    const packed = known && await openAgentFile(deps, plain);
    if (!packed) throw new AppError("not_found", "install.no_file", `This master hands out no file ${plain}.`);
    const body = isPacked ? packed.body : packed.body.pipeThrough(new DecompressionStream("gzip"));
    const size = isPacked ? packed.size : known.size;
    return c.body(body, 200, { "Content-Type": "application/octet-stream", "Content-Length": String(size) });
  });
  return router;
}

const notBuilt = () =>
  new AppError(
    "unavailable",
    "install.not_built",
    "This master was started without the agent's files. Build them, then start it again: deno run -A scripts/build_agent.ts",
  );

function agentFiles(deps: ApiDeps) {
  if (!deps.agentFiles) throw notBuilt();
  return deps.agentFiles;
}

async function scriptFor(deps: ApiDeps, c: Context<ApiEnv>): Promise<string> {
  const { script, version } = agentFiles(deps);
  return fillScript(script, {
    address: publicAddress(deps, c),
    caCertificate: deps.caCertificate,
    caFingerprint: authorityFingerprint(deps.caCertificate),
    version,
    files: await listAgentFiles(deps),
  });
}

async function offlineArchive(deps: ApiDeps, c: Context<ApiEnv>, arch: string) {
  const text = new TextEncoder().encode(await scriptFor(deps, c));
  const runtime = runtimeName("linux", arch);
  const files = await listAgentFiles(deps);
  if (!files.some(({ name }) => name === runtime)) {
    throw new AppError(
      "not_found",
      "install.no_runtime",
      `This master has no runtime for linux ${arch}; upload one: boreas runtime upload --os linux --arch ${arch} FILE`,
    );
  }
  const wanted = files.filter(({ name }) => name === runtime || !name.startsWith("deno-"));
  const packed = await Promise.all(
    wanted.map(async ({ name }) => ({ name, file: (await openAgentFile(deps, name))! })),
  );
  const script = { name: "install.sh", mode: 0o755, size: text.length, body: new Blob([text]).stream() };
  const entries = [
    script,
    ...packed.map(({ name, file }) => ({ name: `${name}.gz`, mode: 0o644, size: file.size, body: file.body })),
  ];
  const archive = tarOf(entries);
  const size = entries.reduce((all, entry) => all + 512 + Math.ceil(entry.size / 512) * 512, 1024);
  const body = pullStream(() => ({
    next: async () => (await archive.next()).value ?? undefined,
    close: () => {
      void archive.return(undefined);
      for (const { body } of entries) if (!body.locked) void body.cancel();
    },
  }));
  return { size, body: body as ReadableStream<Uint8Array<ArrayBuffer>> };
}
