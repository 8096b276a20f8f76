import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import type { PinnedArtifact, RenderedSpec } from "../../protocol/operation.ts";
import { StopReason } from "../operator.ts";

let pm: PmFixture;
let server: Deno.HttpServer<Deno.NetAddr>;
let answers: Record<string, () => Response>;
let asked: string[];
beforeEach(async () => {
  pm = await createPmFixture();
  answers = {};
  asked = [];
  server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    return answers[pathname]?.() ?? new Response("no", { status: 404 });
  });
});
afterEach(async () => {
  await server.shutdown();
  await pm.close();
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const platform = `linux-${Deno.build.arch === "aarch64" ? "arm64" : "amd64"}`;
const url = (path: string) => `http://127.0.0.1:${server.addr.port}${path}`;
const binary = (bin: PinnedArtifact, exec = ["bin/app"], over: Partial<RenderedSpec> = {}) =>
  specOf({ mode: "binary", artifact: "bin", exec }, { artifacts: { bin }, ...over });
const program = (text: string) => `#!/bin/sh\necho ${text}\nexec sleep 60\n`;

/** The bytes of a .tgz that holds `bin/app`. */
async function tgz(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await Deno.makeTempDir({ dir: pm.folder });
  await Deno.mkdir(`${folder}/bin`);
  await Deno.writeTextFile(`${folder}/bin/app`, program(text), { mode: 0o755 });
  const tar = await new Deno.Command("tar", { args: ["-czf", "-", "-C", folder, "bin"] }).output();
  return tar.stdout as Uint8Array<ArrayBuffer>;
}

describe("an artifact from an address", () => {
  it("is fetched for this machine, verified and unpacked", async () => {
    const bytes = await tgz("from-tgz");
    answers[`/order-${platform}.tgz`] = () => new Response(bytes);
    const context = pm.context();
    const spec = binary({
      kind: "url",
      url: url("/order-${os}-${arch}.tgz"),
      sha256: { [platform]: sha256(bytes), "plan9-mips": "0".repeat(64) },
    });
    expect(await pm.operator.run(operationOf(spec), context)).toMatchObject({ status: "success" });
    expect(context.text()).toContain("from-tgz\n");
    expect(context.text()).toContain(`${bytes.length} bytes, SHA-256 as declared`);
    expect([...Deno.readDirSync(pm.app())].map((entry) => entry.name)).not.toContain("fetch");
  });

  it("that is no archive becomes an executable file under its own name", async () => {
    const bytes = new TextEncoder().encode(program("single"));
    answers["/order-v1"] = () => new Response(bytes);
    const spec = binary({ kind: "url", url: url("/order-v1?signature=x"), sha256: sha256(bytes) }, ["./order-v1"]);
    const context = pm.context();
    expect(await pm.operator.run(operationOf(spec), context)).toMatchObject({ status: "success" });
    expect(context.text()).not.toContain("signature=x");
  });

  it("with another SHA-256 than declared is refused before anything is unpacked, and the old one runs on", async () => {
    const bytes = await tgz("good");
    answers["/order.tgz"] = () => new Response(bytes);
    const good = binary({ kind: "url", url: url("/order.tgz"), sha256: sha256(bytes) });
    const first = await pm.operator.run(operationOf(good), pm.context());
    const bad = binary({ kind: "url", url: url("/order.tgz"), sha256: "0".repeat(64) });
    const outcome = await pm.operator.run(operationOf(bad, { version: "v2", versionId: "v2" }), pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "artifact.sha256" });
    expect(outcome.message).toContain(`has SHA-256 ${sha256(bytes)}, expected ${"0".repeat(64)}`);
    expect(outcome.message).toContain("v1 keeps running");
    expect([...Deno.readDirSync(`${pm.app()}/releases`)].map((entry) => entry.name)).toEqual(["v1"]);
    const observed = await Array.fromAsync(pm.operator.observe());
    expect(observed[0]).toMatchObject({
      version: "v1",
      health: "healthy",
      details: { pid: (first.details as { pid: number }).pid },
    });
  });

  it("is asked for again when the server was busy, and the failure says so when it stays busy", async () => {
    const bytes = await tgz("late");
    answers["/order.tgz"] = () => asked.length < 2 ? new Response("busy", { status: 503 }) : new Response(bytes);
    const spec = binary({ kind: "url", url: url("/order.tgz"), sha256: sha256(bytes) });
    expect(await pm.operator.run(operationOf(spec), pm.context())).toMatchObject({ status: "success" });
    const missing = binary({ kind: "url", url: url("/none.tgz"), sha256: sha256(bytes) });
    const outcome = await pm.operator.run(operationOf(missing, { versionId: "v2" }), pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "artifact.fetch", retryable: false });
    expect(asked.filter((path) => path === "/none.tgz")).toHaveLength(1);
  });

  it("without a digest for this machine's platform is refused by name", async () => {
    const spec = binary({ kind: "url", url: url("/x.tgz"), sha256: { "plan9-mips": "0".repeat(64) } });
    const outcome = await pm.operator.run(operationOf(spec), pm.context());
    expect(outcome.message).toContain(`has no SHA-256 for ${platform}`);
    expect(asked).toEqual([]);
  });

  it("that never ends coming is given up when the task is cancelled", async () => {
    answers["/slow.tgz"] = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
    const context = pm.context();
    const running = pm.operator.run(
      operationOf(binary({ kind: "url", url: url("/slow.tgz"), sha256: "0".repeat(64) })),
      context,
    );
    await expect.poll(() => asked.length).toBe(1);
    context.controller.abort(new StopReason("timeout", "It took longer than 5 s.", 1));
    expect(await running).toMatchObject({ status: "failed", code: "task.timeout" });
  });
});

describe("a release that cannot run is told in a sentence", () => {
  it.each([
    [["bin/none"], "exec of order names bin/none, and the release has no such file"],
    [["conf"], "which is not on the PATH of this machine; write ./conf for the release's own file"],
    [["./conf"], "./conf of order is not executable"],
    [["../../bin/sh"], "leads out of the release's folder"],
    [["bin/app", "${port.grpc}"], "exec of order asks for ${port.grpc}, which this application does not have"],
  ])("%j", async (exec, sentence) => {
    const bin = await pm.freeze({ "bin/app": { text: program("x"), mode: 0o755 }, conf: "x" });
    const outcome = await pm.operator.run(operationOf(binary(bin, exec)), pm.context());
    expect(outcome.status).toBe("failed");
    expect(outcome.message).toContain(sentence);
  });

  it("when a secret has no value, when a user does not exist, when a blob cannot be had", async () => {
    const bin = await pm.freeze({ "bin/app": { text: program("x"), mode: 0o755 } });
    const run = async (spec: RenderedSpec) => (await pm.operator.run(operationOf(spec), pm.context())).message;
    expect(await run(binary(bin, undefined, { secrets: ["DB"] }))).toContain("The secret DB has no value for order");
    const user = specOf({ mode: "binary", artifact: "bin", exec: ["bin/app"], user: "nobody-here" }, {
      artifacts: { bin },
    });
    expect(await run(user)).toContain("There is no user nobody-here on this machine");
    expect(await run(binary({ kind: "blob", sha256: "f".repeat(64), size: 1 }))).toContain(
      "could not be fetched: no blob",
    );
  });

  it("when a name could leave the folder of applications", async () => {
    const bin = await pm.freeze({ "bin/app": { text: program("x"), mode: 0o755 } });
    for (const over of [{ app: "../x" }, { environment: ".." }, { versionId: "a/b" }]) {
      const outcome = await pm.operator.run(operationOf(binary(bin), over), pm.context());
      expect(outcome).toMatchObject({ status: "failed", code: "operation.name" });
    }
    const spec = binary(bin, undefined, { files: [{ from: "bin/app", to: "../../../escaped" }] });
    expect(await pm.operator.run(operationOf(spec), pm.context())).toMatchObject({ code: "release.path" });
  });
});

const isRoot = Deno.uid() === 0;
describe.skipIf(!isRoot)(`a program of another user${isRoot ? "" : " [needs root]"}`, () => {
  it("runs as that user when the agent is root", async () => {
    const bin = await pm.freeze({ "bin/app": { text: "#!/bin/sh\nid -un\nexec sleep 60\n", mode: 0o755 } });
    const spec = specOf({ mode: "binary", artifact: "bin", exec: ["bin/app"], user: "nobody" }, { artifacts: { bin } });
    const context = pm.context();
    expect(await pm.operator.run(operationOf(spec), context)).toMatchObject({ status: "success" });
    expect(context.text()).toContain("\nnobody\n");
  });
});
