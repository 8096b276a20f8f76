/** Small files that decide what runs: whole and on the disk when the call returns, or as they were before. */

export const isMissing = (error: unknown): boolean =>
  error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;

export async function syncFolder(path: string): Promise<void> {
  const folder = await Deno.open(path);
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const file = await Deno.open(path, { write: true, createNew: true, mode });
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  } finally {
    file.close();
  }
}

export async function removeDurably(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error: unknown) {
    if (isMissing(error)) return;
    throw error;
  }
  await syncFolder(parentOf(path));
}

export async function writeDurably(path: string, text: string, mode = 0o600): Promise<void> {
  const fresh = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  await writeSynced(fresh, text, mode);
  await Deno.rename(fresh, path);
  await syncFolder(parentOf(path));
}

/** @returns false when the file was there already: of several writers the first one counts, and its words are whole */
export async function writeOnce(path: string, text: string, mode = 0o600): Promise<boolean> {
  const fresh = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  await writeSynced(fresh, text, mode);
  try {
    await Deno.link(fresh, path);
    return true;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  } finally {
    await Deno.remove(fresh);
    await syncFolder(parentOf(path));
  }
}

/** Also in the moment of a power cut the link names the old target or the new one. */
export async function pointLinkDurably(link: string, target: string): Promise<void> {
  const fresh = `${link}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  await Deno.symlink(target, fresh);
  await Deno.rename(fresh, link);
  await syncFolder(parentOf(link));
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error: unknown) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
