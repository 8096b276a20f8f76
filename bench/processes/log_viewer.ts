/** Viewers of a log, in a process of their own: each reads one HTTP stream to its end, and notes when bytes came. */
import { answerCalls } from "../support/child.ts";
import { LINE_BYTES, sharedNow } from "../support/log_lines.ts";
import { percentile } from "../support/statistics.ts";

interface Viewing {
  url: string;
  token?: string;
  viewers: number;
  /** Of the log; a viewer that got others missed or doubled something. */
  bytes: number;
  /** The lines begin with the moment at which they were printed. */
  stamped?: boolean;
}
/** `1795341745103.123`, and looked at on so many lines: enough to show the whole, and little work. */
const STAMP_BYTES = 17;
const EVERY = 10;
let all: Promise<{ doneAt: number; waits: number[] }[]>;

async function open(viewing: Viewing) {
  const headers: Record<string, string> = viewing.token ? { authorization: `Bearer ${viewing.token}` } : {};
  const responses = await Promise.all(
    Array.from({ length: viewing.viewers }, () => fetch(viewing.url, { headers })),
  );
  all = Promise.all(responses.map((response) => read(response, viewing)));
  all.catch(() => {}); // told to whoever asks
}

async function read(response: Response, { bytes, stamped }: Viewing) {
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  const waits: number[] = [];
  let seen = 0;
  let doneAt = 0;
  for await (const piece of response.body!) {
    const first = Math.ceil(seen / LINE_BYTES) * LINE_BYTES - seen;
    seen += piece.length;
    doneAt = sharedNow();
    for (let at = first; stamped && at + STAMP_BYTES <= piece.length; at += LINE_BYTES * EVERY) {
      waits.push(doneAt - parseFloat(decoder.decode(piece.subarray(at, at + STAMP_BYTES))));
    }
    if (seen >= bytes) break;
  }
  if (seen !== bytes) throw new Error(`${seen} bytes came instead of ${bytes} (${bytes / LINE_BYTES} lines)`);
  return { doneAt, waits };
}

await answerCalls({
  open,
  async done() {
    const views = await all;
    const waits = views.flatMap((v) => v.waits);
    return {
      doneAt: Math.max(...views.map((v) => v.doneAt)),
      p50: percentile(waits, 50),
      p99: percentile(waits, 99),
      worst: waits.reduce((most, wait) => Math.max(most, wait), 0),
      samples: waits.length,
    };
  },
});
