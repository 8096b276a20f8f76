/** Brings the image to the machine before anything that runs is touched, and says in the log how far it is. */
import { parseRegistryLogin } from "../../../domain/image_ref.ts";
import type { Clock } from "../../../domain/ports.ts";
import type { RunContext } from "../../operator.ts";
import { wait } from "../../stopped.ts";
import { PmFailure } from "../failure.ts";
import type { TaskLog } from "../task_log.ts";
import { isEngineError } from "./engine.ts";
import type { Engine, PullEvent } from "./engine.ts";
import type { PinnedImage } from "./image.ts";

const TRIES = 3;
const SAY_MS = 3000;
/** A registry that sends nothing for so long is given up, and asked again by a later attempt. */
export const STALL_MS = 120_000;

interface Parts {
  engine: Engine;
  clock: Clock;
  stallMs: number;
}

export async function pullImage(parts: Parts, image: PinnedImage, context: RunContext, log: TaskLog): Promise<void> {
  const { engine, clock } = parts;
  if (await engine.findImage(image.address)) {
    return log.say(`The image ${image.ref} (${shortOf(image.digest)}) is here already.`);
  }
  const login = loginOf(image, context);
  await log.say(`Pulling ${image.ref} (${shortOf(image.digest)})${login ? " with the registry's login" : ""}.`);
  for (let tries = 1;; tries++) {
    await context.trusted();
    const begin = clock.monotonic();
    const failure = await pullOnce(parts, image, login, context, log);
    context.signal.throwIfAborted();
    if (!failure) {
      const size = (await engine.findImage(image.address))?.Size ?? 0;
      const seconds = ((clock.monotonic() - begin) / 1000).toFixed(1);
      return log.say(`Pulled ${image.ref} in ${seconds} s, ${megabytes(size)} MB on disk.`);
    }
    if (!failure.more.retryable || failure.code === "registry.stalled" || tries === TRIES) throw failure;
    await log.say(`${failure.message} Trying again in ${2 ** tries / 2} s.`);
    await wait(clock, 2 ** tries * 500, context.signal);
    context.signal.throwIfAborted();
  }
}

function loginOf(image: PinnedImage, { secrets }: RunContext) {
  const text = Object.hasOwn(secrets, image.secret) ? secrets[image.secret]! : undefined;
  if (text === undefined) return undefined;
  const login = parseRegistryLogin(text);
  if (login) return { ...login, registry: image.registry };
  throw new PmFailure("registry.login", `The secret ${image.secret} is not of the form user:password.`);
}

async function pullOnce(
  { engine, clock, stallMs }: Parts,
  image: PinnedImage,
  login: ReturnType<typeof loginOf>,
  context: RunContext,
  log: TaskLog,
): Promise<PmFailure | undefined> {
  const stall = new AbortController();
  let timer = clock.after(stallMs, () => stall.abort());
  const layers = new Layers();
  let saidAt = clock.monotonic();
  let told: Promise<void> = Promise.resolve();
  try {
    await engine.pullImage(image.address, {
      login,
      signal: AbortSignal.any([context.signal, stall.signal]),
      onProgress(event) {
        timer.cancel();
        timer = clock.after(stallMs, () => stall.abort());
        layers.take(event);
        if (clock.monotonic() - saidAt < SAY_MS) return;
        saidAt = clock.monotonic();
        // One after the other; a log that takes no more lines is told of by what comes next.
        told = told.then(() => log.say(layers.describe())).catch(() => {});
      },
    });
    return undefined;
  } catch (error: unknown) {
    if (stall.signal.aborted) {
      return new PmFailure(
        "registry.stalled",
        `The registry ${image.registry} sent nothing for ${
          stallMs / 1000
        } s while ${image.ref} was pulled; look at it and at the network between.`,
        { retryable: true },
      );
    }
    if (context.signal.aborted) return undefined;
    if (!isEngineError(error)) throw error;
    return explain(image, error.message, error.status, login !== undefined);
  } finally {
    timer.cancel();
    await told;
  }
}

/** Registries say the same in many words. */
function explain(image: PinnedImage, message: string, status: number | undefined, hadLogin: boolean): PmFailure {
  const { registry, ref, digest, secret } = image;
  if (/unauthorized|authentication required|denied|no basic auth|incorrect username/i.test(message)) {
    const why = hadLogin ? `did not take the login in the secret ${secret}` : "wants a login";
    return new PmFailure(
      "registry.denied",
      `The registry ${registry} ${why} for ${ref}: ${message.trim()}. Set ${secret} to user:password for this environment.`,
    );
  }
  if (status === 404 || /manifest unknown|not found/i.test(message)) {
    return new PmFailure(
      "image.missing",
      `The registry ${registry} has no ${ref} with the digest ${digest} any more; build it again, or deploy another version.`,
    );
  }
  return new PmFailure("image.pull", `${ref} could not be pulled from ${registry}: ${message.trim()}.`, {
    retryable: true,
  });
}

/** What is known of the layers while they come. */
class Layers {
  readonly #layers = new Map<string, { current: number; total: number; done: boolean }>();

  take({ status, layer, current, total }: PullEvent): void {
    if (layer === undefined || /^Pulling from/.test(status)) return;
    const known = this.#layers.get(layer) ?? { current: 0, total: 0, done: false };
    if (status === "Downloading") {
      Object.assign(known, { current: current ?? known.current, total: total ?? known.total });
    }
    if (/^(Download complete|Pull complete|Already exists|Extracting)/.test(status)) {
      known.done = /^(Pull complete|Already exists)/.test(status);
      known.current = known.total;
    }
    this.#layers.set(layer, known);
  }

  describe(): string {
    const all = [...this.#layers.values()];
    const sum = (key: "current" | "total") => all.reduce((total, layer) => total + layer[key], 0);
    const done = all.filter((layer) => layer.done).length;
    return `Pulling: ${done} of ${all.length} layers, ${megabytes(sum("current"))} of ${megabytes(sum("total"))} MB.`;
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
export const shortOf = (digest: string) => digest.slice(0, "sha256:".length + 12);
