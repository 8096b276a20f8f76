/**
 * A machine as the install line leaves it, in a folder of its own, and a master that hands out releases: real processes,
 * sockets and files; what keeps the agent running is a loop here, as the supervisor is where there is no systemd.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { AgentFiles } from "../../../api/install/handed_out.ts";
import { listen } from "../../../compose/http_server.ts";
import { loadReleaseKey } from "../../../compose/release_key.ts";
import { PRODUCT_VERSION } from "../../../compose/product_version.ts";
import { createVault } from "../../../db/secrets/vault.ts";
import { createClock } from "../../../host/clock.ts";
import { buildAgent } from "../../../scripts/build_agent.ts";
import { root as project } from "../../../scripts/build_once.ts";
import { startScheduler } from "../../helpers/start_scheduler.ts";
import { createTestApi } from "../../helpers/test_api.ts";
import type { TestDatabase } from "../../helpers/test_database.ts";

const ARCH = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
const encode = (text: string) => new TextEncoder().encode(text);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** @param before a program's text in front of the real one: how a test makes a release that has a flaw */
export async function buildRelease(version: string, before = ""): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  await buildAgent(() => {});
  const bundle = await Deno.readTextFile(join(project, ".build/agent/boreas-agent.js"));
  const named = bundle.replaceAll(JSON.stringify(PRODUCT_VERSION), JSON.stringify(version));
  if (named === bundle && version !== PRODUCT_VERSION) throw new Error("the bundle does not hold its version");
  const launcher = await Deno.readTextFile(join(project, "deploy/agent/boreas-agent.sh"));
  return new Map([["boreas-agent.js", encode(`${before}\n${named}`)], ["boreas-agent", encode(launcher)]]);
}

let runtimeHash: Promise<string> | undefined;
const hashRuntime = () => runtimeHash ??= Deno.readFile(Deno.execPath()).then(sha256);

/** @param change what is handed out instead of a file's true bytes, after it was signed */
export async function filesOf(
  version: string,
  release: Map<string, Uint8Array<ArrayBuffer>>,
  change: (name: string, bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> = (_, bytes) => bytes,
): Promise<AgentFiles> {
  const { size } = await Deno.stat(Deno.execPath());
  const runtime = { name: `deno-linux-${ARCH}`, sha256: await hashRuntime(), size };
  return {
    version,
    files: [...[...release].map(([name, bytes]) => ({ name, sha256: sha256(bytes), size: bytes.length })), runtime],
    script: "",
    open(name) {
      const bytes = release.get(name);
      const packed = bytes && new Uint8Array(gzipSync(change(name, bytes)));
      return Promise.resolve(packed && { size: packed.length, body: new Blob([packed]).stream() });
    },
  };
}

export async function startReleasingMaster(db: TestDatabase) {
  const vault = await createVault(new Uint8Array(32).fill(7));
  const release = await loadReleaseKey(db, vault);
  const api = await createTestApi(db, { vault, release, productVersion: PRODUCT_VERSION });
  const { scheduler, stop } = await startScheduler(db, {
    hints: api.deps.hints,
    vault,
    masterId: api.deps.masterId,
    releaseKey: release.publicKey,
    sweepSeconds: 1,
  });
  const listening = await listen({
    host: "127.0.0.1",
    port: 0,
    fetch: api.app.fetch,
    gateway: scheduler.gateway,
    clock: createClock(),
    portVariable: "",
  });
  return {
    api,
    url: `http://127.0.0.1:${listening.port}`,
    /** From now on this is what machines are offered. */
    handOut(files: AgentFiles) {
      api.deps.agentFiles = files;
      api.deps.productVersion = files.version;
    },
    async upgrade(agentId: string, body: Record<string, unknown> = {}): Promise<string> {
      const { status, body: said } = await api.request("POST", "/agents/upgrade", { ids: [agentId], ...body });
      if (status !== 201) throw new Error(JSON.stringify(said));
      return said.id;
    },
    async stop() {
      await stop();
      await listening.close();
    },
  };
}
export type ReleasingMaster = Awaited<ReturnType<typeof startReleasingMaster>>;

export interface InstalledAgent {
  id(): string;
  root: string;
  stateDir: string;
  /** In the environment of all that runs there. */
  tag: string;
  /** What `current` names. */
  current(): Promise<string>;
  /** How often the agent was started. */
  starts(): number;
  output(): string;
  /** Resolves when the agent came to the place that BOREAS_CRASH_AT names: the power is off then, also the watcher's. */
  lostPower: Promise<void>;
  /** On again, and without such a place. */
  boot(): void;
  stop(): Promise<void>;
}

/** Installs a release as `install.sh` does, enrols the machine, and keeps its agent running. */
export async function installAgent(
  master: ReleasingMaster,
  folder: string,
  version: string,
  env: Record<string, string> = {},
  /** Else it is the one that runs here, and shares its memory. */
  hasOwnRuntime = false,
): Promise<InstalledAgent> {
  const [root, stateDir] = [join(folder, "opt/agent"), join(folder, "state")];
  const runtime = join(folder, "opt/runtime", (await hashRuntime()).slice(0, 16));
  await Deno.mkdir(runtime, { recursive: true });
  if (hasOwnRuntime) await Deno.copyFile(Deno.execPath(), join(runtime, "deno"));
  else await Deno.symlink(Deno.execPath(), join(runtime, "deno"));
  await Deno.mkdir(join(root, version), { recursive: true });
  for (const [name, bytes] of await buildRelease(version)) {
    await Deno.writeFile(join(root, version, name), bytes, { mode: 0o755 });
  }
  await Deno.symlink(join(runtime, "deno"), join(root, version, "deno"));
  await Deno.symlink(version, join(root, "current"));
  const config = join(folder, "agent.yaml");
  await Deno.writeTextFile(config, `url: ${master.url}\nstateDir: ${stateDir}\n`);
  const name = `machine-${crypto.randomUUID().slice(0, 8)}`;
  const { body: token } = await master.api.request("POST", "/enrollment-tokens", {
    uses: 1,
    expiresIn: 600,
    labels: {},
    environments: [],
    kind: "agent",
  });

  const tag = `BOREAS_TEST_MACHINE=${crypto.randomUUID()}`;
  let output = "";
  let starts = 0;
  let isOn = true;
  const lostPower = Promise.withResolvers<void>();
  const keep = async () => {
    while (isOn) {
      starts++;
      const present = new Deno.Command(join(root, "current/boreas-agent"), {
        env: {
          BOREAS_AGENT_CONFIG: config,
          BOREAS_NAME: name,
          BOREAS_TOKEN: token.token,
          BOREAS_WATCH_SECONDS: "60",
          BOREAS_LOG_FORMAT: "text",
          BOREAS_LOG_LEVEL: "INFO",
          DENO_DIR: join(folder, "deno"),
          [tag.split("=")[0]!]: tag.split("=")[1]!,
          ...env,
        },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
        for await (const text of stream.pipeThrough(new TextDecoderStream())) output += text;
      };
      const [{ code }] = await Promise.all([present.status, read(present.stdout), read(present.stderr)]);
      if (code === 70) {
        delete env.BOREAS_CRASH_AT;
        await killAll();
        return lostPower.resolve();
      }
      if (isOn) await new Promise((resolve) => setTimeout(resolve, 100)); // as a supervisor does
    }
  };
  const killAll = async () => {
    // The watcher is in a session of its own, and nobody's child.
    const script =
      'for e in $(grep -lszxF -- "$1" /proc/[0-9]*/environ); do p=${e#/proc/}; kill -9 "${p%/environ}"; done';
    await new Deno.Command("/bin/sh", { args: ["-c", script, "kill-all", tag], stderr: "null" }).output();
  };
  let keeping = keep();
  return {
    id() {
      try {
        return /"agentId":"([^"]+)"/.exec(Deno.readTextFileSync(join(stateDir, "identity.json")))![1]!;
      } catch (error: unknown) {
        throw new Error(`the machine is not enrolled: ${output}`, { cause: error });
      }
    },
    root,
    stateDir,
    tag,
    current: () => Deno.readLink(join(root, "current")),
    starts: () => starts,
    output: () => output,
    lostPower: lostPower.promise,
    boot: () => void (keeping = keep()),
    async stop() {
      isOn = false;
      await killAll();
      await keeping;
    },
  };
}
