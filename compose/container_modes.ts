/** Whether this machine runs containers: only while an engine answers, which is looked at again and again. */
import type { Clock, Logger } from "../domain/ports.ts";

interface Engine {
  version(): Promise<string>;
}
const LOOK_MS = 30_000;

const findVersion = (engine: Engine): Promise<string | undefined> => engine.version().catch(() => undefined);

export async function containerModes(engine: Engine): Promise<string[]> {
  return await findVersion(engine) === undefined ? [] : ["docker"];
}

/** Keeps `docker` in `modes`, which the agent tells the master, or out of it. @returns how to end it */
export function watchEngine(
  engine: Engine,
  modes: string[],
  { clock, logger }: { clock: Clock; logger: Logger },
  changed: () => void = () => {},
): () => void {
  let isOver = false;
  let timer = clock.after(LOOK_MS, look);
  async function look() {
    const version = await findVersion(engine);
    if (isOver) return;
    const at = modes.indexOf("docker");
    if (version !== undefined && at < 0) {
      modes.unshift("docker");
      logger.log("INFO", "a container engine answers", { version });
      changed();
    }
    if (version === undefined && at >= 0) {
      modes.splice(at, 1);
      logger.log("WARN", "the container engine does not answer any more");
      changed();
    }
    timer = clock.after(LOOK_MS, look);
  }
  return () => {
    isOver = true;
    timer.cancel();
  };
}
