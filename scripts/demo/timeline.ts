/** What happened when: each step is said when it begins and when it ends, and all of them once more at the end. */
export interface Timeline {
  /** Runs one step; its answer's `say` is what the timeline keeps of it. */
  step<T>(title: string, act: () => Promise<T>, say?: (result: T) => string): Promise<T>;
  /** A line of progress inside a step. */
  note(text: string): void;
  /** The table at the end. */
  summary(): string;
  /** The step that did not end well. */
  current(): string | undefined;
}

interface Entry {
  title: string;
  startedMs: number;
  tookMs: number;
  result: string;
}

export function createTimeline(write: (text: string) => void, now: () => number = () => performance.now()): Timeline {
  const began = now();
  const entries: Entry[] = [];
  let running: string | undefined;
  const at = () => seconds(now() - began);
  return {
    async step(title, act, say = () => "") {
      running = title;
      write(`${at()}  ${title} ...\n`);
      const started = now();
      const result = await act();
      const entry = { title, startedMs: started - began, tookMs: now() - started, result: say(result) };
      entries.push(entry);
      running = undefined;
      return result;
    },
    note: (text) => write(`${at()}    ${text}\n`),
    current: () => running,
    summary() {
      const widest = Math.max(0, ...entries.map((e) => e.title.length));
      const lines = entries.map((e) =>
        `${seconds(e.startedMs)}  ${seconds(e.tookMs)}  ${e.title.padEnd(widest)}  ${e.result}`.trimEnd()
      );
      return `${"at".padStart(9)}  ${"took".padStart(9)}  what\n${lines.join("\n")}\n${at()}  in all\n`;
    },
  };
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`.padStart(9);
