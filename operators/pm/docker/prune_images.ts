/** Images live as long as the releases that run them: each release's folder says which one is its own. */
import type { AppFolder } from "../app_folder.ts";
import type { Machine } from "../machine.ts";
import type { PmParts } from "../pm_parts.ts";
import type { TaskLog } from "../task_log.ts";
import { requireEngine } from "./container_slots.ts";
import { isEngineError } from "./engine.ts";
import type { PinnedImage } from "./image.ts";

const FILE = ".image";

export const rememberImage = (machine: Machine, folder: AppFolder, release: string, { address }: PinnedImage) =>
  machine.files.writeText(`${folder.release(release)}/${FILE}`, `${address}\n`, 0o644);

/** Of every release that is on the machine. */
export async function imagesOf({ files }: Machine, folder: AppFolder): Promise<Set<string>> {
  const images = new Set<string>();
  for (const release of await files.list(folder.releases)) {
    const address = await files.readText(`${folder.release(release)}/${FILE}`);
    if (address !== undefined) images.add(address.trim());
  }
  return images;
}

/** Takes away those of releases that were there `before` and are not now. One that another container uses stays. */
export async function pruneImages(
  pm: PmParts,
  folder: AppFolder,
  before: ReadonlySet<string>,
  log: TaskLog | undefined,
): Promise<void> {
  const now = await imagesOf(pm.machine, folder);
  const engine = requireEngine(pm);
  for (const address of before) {
    if (now.has(address)) continue;
    try {
      if (await engine.removeImage(address)) {
        await log?.say(`Removed the image ${address.replace(/@.*/, "")} of an old release.`);
      }
    } catch (error: unknown) {
      if (!isEngineError(error)) throw error;
      await log?.say(`The image ${address} could not be removed: ${error.message}.`); // it only takes room
    }
  }
}
