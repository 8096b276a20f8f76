/**
 * A container engine (Docker, or what speaks as it does) over its own API, behind `operators/pm/docker/engine.ts`.
 * The library is loaded with the first call: a machine without containers does not pay for it.
 */
import { Agent } from "node:http";
// @ts-types="@types/dockerode"
import type Docker from "dockerode";

/** No answer of the engine but a stream takes longer, its own waiting aside. */
const CALL_MS = 60_000;
const DEFAULT_HOST = "unix:///var/run/docker.sock";
const OUTPUT_CHARACTERS = 4096;
const HEADER_BYTES = 8;

export class EngineError extends Error {
  override readonly name = "EngineError";
  constructor(message: string, readonly status: number | undefined) {
    super(message);
  }
}

/** @param address as DOCKER_HOST gives it; undefined means the usual socket */
export function createDockerEngine(address: string | undefined) {
  let loaded: Promise<Docker> | undefined;
  const connect = () =>
    loaded ??= open(address || DEFAULT_HOST).catch((error: unknown) => {
      loaded = undefined; // an engine that is installed later is found later
      throw error;
    });

  /** Everything goes through here, so that what goes wrong has one shape. */
  async function call<T>(
    work: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
    limitMs = CALL_MS,
  ): Promise<T> {
    const late = AbortSignal.timeout(limitMs);
    try {
      return await Promise.race([work(await connect(), late), whenAborted(late)]);
    } catch (error: unknown) {
      throw late.aborted ? new EngineError(`no answer within ${limitMs / 1000} s`, undefined) : asEngineError(error);
    }
  }
  /** undefined, or what `missing` says, when the engine does not know what was asked for. */
  async function callFor<T, M>(status: number[], missing: M, work: Parameters<typeof call<T>>[0], limitMs?: number) {
    try {
      return await call(work, limitMs);
    } catch (error: unknown) {
      if (error instanceof EngineError && status.includes(error.status ?? 0)) return missing;
      throw error;
    }
  }

  return {
    async version(): Promise<string> {
      const { Version } = await call((docker) => docker.version(), 5000);
      return Version;
    },
    findImage: (name: string) =>
      callFor([404], undefined, async (docker) => {
        const { Id, Size } = await docker.getImage(name).inspect();
        return { Id, Size };
      }),
    async pullImage(name: string, { login, signal, onProgress }: {
      login: { username: string; password: string; registry: string } | undefined;
      signal: AbortSignal;
      onProgress(
        event: { status: string; layer: string | undefined; current: number | undefined; total: number | undefined },
      ): void;
    }): Promise<void> {
      const authconfig = login &&
        { username: login.username, password: login.password, serveraddress: login.registry };
      try {
        const docker = await connect();
        const stream = await docker.pull(name, { abortSignal: signal, ...(authconfig && { authconfig }) });
        for await (const line of readLines(endingWith(stream, signal))) {
          const event = JSON.parse(line) as PullLine;
          if (event.error !== undefined) throw new EngineError(event.error, undefined);
          onProgress({
            status: event.status ?? "",
            layer: event.id,
            current: event.progressDetail?.current,
            total: event.progressDetail?.total,
          });
        }
      } catch (error: unknown) {
        throw asEngineError(error);
      }
    },
    removeImage: (name: string) =>
      callFor([404, 409], false, async (docker) => {
        await docker.getImage(name).remove();
        return true;
      }),

    async createContainer(name: string, body: object): Promise<string> {
      const { id } = await call((docker) => docker.createContainer({ name, ...body }));
      return id;
    },
    startContainer: (id: string) =>
      callFor(
        [304],
        undefined,
        async (docker, abortSignal) => void await docker.getContainer(id).start({ abortSignal }),
      ),
    findContainer: (id: string) =>
      callFor([404], undefined, (docker, abortSignal) => docker.getContainer(id).inspect({ abortSignal })),
    setRestartPolicy: (id: string, RestartPolicy: object) =>
      call(async (docker) => void await docker.getContainer(id).update({ RestartPolicy })),
    async waitForEnd(id: string, signal: AbortSignal): Promise<void> {
      try {
        await (await connect()).getContainer(id).wait({ abortSignal: signal });
      } catch (error: unknown) {
        throw asEngineError(error);
      }
    },
    async *readOutput(
      id: string,
      { follow, tail, signal }: { follow: boolean; tail?: number | undefined; signal: AbortSignal },
    ): AsyncGenerator<Uint8Array> {
      try {
        const options = { stdout: true, stderr: true, ...(tail !== undefined && { tail }), abortSignal: signal };
        const container = (await connect()).getContainer(id);
        const source = follow
          ? endingWith(await container.logs({ ...options, follow: true }), signal)
          : [await container.logs({ ...options, follow: false })];
        yield* demultiplex(source);
      } catch (error: unknown) {
        if (!signal.aborted) throw asEngineError(error);
      }
    },
    signalContainer: (id: string, signal: string) =>
      callFor([404, 409], undefined, async (docker) => void await docker.getContainer(id).kill({ signal })),
    pauseContainer: (id: string) =>
      callFor([404, 409], undefined, async (docker) => void await docker.getContainer(id).pause()),
    unpauseContainer: (id: string) =>
      callFor([404, 409], undefined, async (docker) => void await docker.getContainer(id).unpause()),
    stopContainer: (id: string, graceSeconds: number) =>
      callFor(
        [304, 404],
        undefined,
        async (docker, abortSignal) => void await docker.getContainer(id).stop({ t: graceSeconds, abortSignal }),
        graceSeconds * 1000 + CALL_MS,
      ),
    removeContainer: (id: string) =>
      callFor([404], undefined, async (docker) => void await docker.getContainer(id).remove({ force: true })),
    async runInside(id: string, command: string[], timeoutMs: number) {
      const late = AbortSignal.timeout(timeoutMs);
      let output = "";
      try {
        const exec = await call((docker) =>
          docker.getContainer(id).exec({ Cmd: command, AttachStdout: true, AttachStderr: true })
        );
        const stream = await exec.start({ hijack: false, stdin: false, abortSignal: late });
        const decoder = new TextDecoder();
        for await (const bytes of demultiplex(endingWith(stream, late))) {
          output = (output + decoder.decode(bytes, { stream: true })).slice(-OUTPUT_CHARACTERS);
        }
        const { ExitCode } = await exec.inspect();
        return { code: late.aborted ? null : ExitCode, output };
      } catch (error: unknown) {
        if (late.aborted) return { code: null, output };
        throw asEngineError(error);
      }
    },
  };
}

/** Not every call hears its signal, and an engine that dies leaves some without an end. */
const whenAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

interface PullLine {
  status?: string;
  id?: string;
  error?: string;
  progressDetail?: { current?: number; total?: number };
}

/** Over a connection that is used again, a signal does not end a request that waits for its answer. */
const freshConnections = (): object => ({ agent: new Agent({ keepAlive: false }) });

async function open(address: string): Promise<Docker> {
  if (address.startsWith("unix://")) {
    const socketPath = address.slice("unix://".length);
    if (!await isThere(socketPath)) throw new EngineError(`there is no ${socketPath}`, undefined);
    const { default: Library } = await import("dockerode");
    return new Library({ socketPath, ...freshConnections() });
  }
  if (!URL.canParse(address) || !/^(tcp|http):\/\//.test(address)) {
    throw new EngineError(`DOCKER_HOST is ${address}; use unix:///path/of/the/socket or tcp://host:port`, undefined);
  }
  const { hostname, port } = new URL(address);
  const { default: Library } = await import("dockerode");
  return new Library({ protocol: "http", host: hostname, port: port || "2375", ...freshConnections() });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function asEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const { statusCode, json, message } = error as { statusCode?: number; json?: { message?: string }; message?: string };
  return new EngineError(json?.message ?? message ?? String(error), statusCode);
}

/** A signal ends a request that has no answer yet; what has begun to answer is ended here. */
function endingWith(stream: NodeJS.ReadableStream, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const { destroy } = stream as unknown as { destroy(error: Error): void };
  const end = () => destroy.call(stream, new Error("ended by whoever asked"));
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  return (async function* () {
    try {
      yield* stream as AsyncIterable<Uint8Array>;
    } finally {
      signal.removeEventListener("abort", end);
    }
  })();
}

async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of stream) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines.filter((line) => line.trim() !== "");
  }
  if (rest.trim() !== "") yield rest;
}

/** The engine sends output and errors in frames: kind, three zeros, length (big endian), bytes. */
async function* demultiplex(stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array();
  for await (const part of stream) {
    const bytes = new Uint8Array(rest.length + part.length);
    bytes.set(rest);
    bytes.set(part, rest.length);
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = new DataView(bytes.buffer, at + 4).getUint32(0);
      if (bytes.length - at < HEADER_BYTES + length) break;
      if (length > 0) yield bytes.slice(at + HEADER_BYTES, at + HEADER_BYTES + length);
      at += HEADER_BYTES + length;
    }
    rest = bytes.slice(at);
  }
}
