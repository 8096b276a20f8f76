/** Wakes one waiter when something in a folder changed. Events are a hint only: every wait has a longest time. */
export interface FolderWatch {
  /** Wakes the waiter, or the next one. */
  poke(): void;
  /** Resolves at a change since the last call, a poke, or after so many milliseconds. */
  change(longestMs: number): Promise<void>;
  close(): void;
}

/** Where the system has no events left to give, waits are this short. */
const POLL_MS = 50;

export function watchFolder(folder: string, isInteresting: (path: string) => boolean = () => true): FolderWatch {
  let dirty = false;
  let wake: (() => void) | undefined;
  let watcher: Deno.FsWatcher | undefined;
  const poke = () => {
    dirty = true;
    wake?.();
  };
  try {
    watcher = Deno.watchFs(folder, { recursive: false });
    (async (events: Deno.FsWatcher) => {
      for await (const event of events) if (event.kind !== "access" && event.paths.some(isInteresting)) poke();
    })(watcher).catch(() => watcher = undefined); // from here on it polls
  } catch (error: unknown) {
    if (!(error instanceof Error)) throw error; // no watches left: it polls
  }
  return {
    poke,
    async change(longestMs) {
      if (!dirty) {
        const timer = setTimeout(() => wake?.(), watcher ? longestMs : Math.min(longestMs, POLL_MS));
        await new Promise<void>((resolve) => wake = resolve);
        clearTimeout(timer);
        wake = undefined;
      }
      dirty = false;
    },
    close: () => watcher?.close(),
  };
}
