/**
 * Masks known secrets in a stream of bytes, wherever the stream happens to be cut.
 *
 * All forms of all secrets are one automaton (Aho-Corasick, over the classes of bytes that occur in them). Its state is
 * the longest tail of the stream that may still become a secret: only those bytes wait, everything before them is
 * decided. Every byte of every match is masked, overlapping and touching matches become one `***`, so the output
 * depends on the stream alone, never on how it was cut.
 */
import { secretForms } from "./secret_forms.ts";

export interface Redactor {
  push(bytes: Uint8Array): Uint8Array;
  /** The end of the stream: what still waits is no secret. */
  flush(): Uint8Array;
  /** Bytes taken in that have not come out: they may be the start of a secret. */
  readonly held: number;
}

const MASK = new TextEncoder().encode("***");

export function createRedactor(secrets: Iterable<string>): Redactor {
  const forms = secretForms(secrets);
  if (forms.length === 0) return { push: (bytes) => bytes, flush: () => new Uint8Array(), held: 0 };
  const { next, classOf, classes, depth, longest } = buildAutomaton(forms);

  let state = 0;
  /** Bytes that are not decided yet. */
  let waiting = new Uint8Array();
  /** What came out last was a mask, and a match that begins right there continues it. */
  let masking = false;

  const emit = (buffer: Uint8Array, runs: Run[], decided: number): Uint8Array => {
    const out: Uint8Array[] = [];
    let at = 0;
    for (const run of runs) {
      const start = Math.max(run.start, at);
      if (start > at) out.push(buffer.subarray(at, start));
      if (start > at || !masking) out.push(MASK);
      masking = true;
      at = run.end;
    }
    const end = Math.max(at, decided);
    if (end > at) {
      out.push(buffer.subarray(at, end));
      masking = false;
    }
    waiting = buffer.slice(end);
    return concat(out);
  };

  return {
    push(bytes) {
      const known = waiting.length;
      const buffer = known === 0 ? bytes : concat([waiting, bytes]);
      const runs: Run[] = [];
      for (let i = known; i < buffer.length; i++) {
        state = next[state * classes + classOf[buffer[i]!]!]!;
        const length = longest[state]!;
        if (length > 0) addRun(runs, i + 1 - length, i + 1);
      }
      return emit(buffer, runs, buffer.length - depth[state]!);
    },
    flush() {
      state = 0;
      return emit(waiting, [], waiting.length);
    },
    get held() {
      return waiting.length;
    },
  };
}

/** Masks a whole text at once, for sentences and last lines that leave beside the log. */
export function maskText(text: string, secrets: Iterable<string>): string {
  const redactor = createRedactor(secrets);
  const out = redactor.push(new TextEncoder().encode(text));
  return new TextDecoder().decode(concat([out, redactor.flush()]));
}

interface Run {
  start: number;
  end: number;
}

function addRun(runs: Run[], start: number, end: number) {
  let last = runs.at(-1);
  while (last && last.end >= start) {
    start = Math.min(start, last.start);
    runs.pop();
    last = runs.at(-1);
  }
  runs.push({ start: Math.max(0, start), end });
}

function buildAutomaton(forms: Uint8Array[]) {
  // Class 0 is every byte that occurs in no form; it always leads back to the root.
  const classOf = new Uint16Array(256);
  let classes = 1;
  let size = 1;
  for (const form of forms) {
    size += form.length;
    for (const byte of form) if (classOf[byte] === 0) classOf[byte] = classes++;
  }
  const next = new Int32Array(size * classes);
  const depth = new Int32Array(size);
  /** Length of the longest form that ends in this state, 0 for none. */
  const longest = new Int32Array(size);
  let count = 1;
  for (const form of forms) {
    let state = 0;
    for (const byte of form) {
      const slot = state * classes + classOf[byte]!;
      if (next[slot] === 0) {
        depth[count] = depth[state]! + 1;
        next[slot] = count++;
      }
      state = next[slot]!;
    }
    longest[state] = form.length;
  }
  // Breadth first: a state's fall-back is shallower, so it is complete when it is read.
  const fallback = new Int32Array(count);
  const queue: number[] = [];
  for (let c = 0; c < classes; c++) if (next[c] !== 0) queue.push(next[c]!);
  for (const state of queue) {
    if (longest[state] === 0) longest[state] = longest[fallback[state]!]!;
    for (let c = 0; c < classes; c++) {
      const slot = state * classes + c;
      const beyond = next[fallback[state]! * classes + c]!;
      if (next[slot] === 0) next[slot] = beyond;
      else {
        fallback[next[slot]!] = beyond;
        queue.push(next[slot]!);
      }
    }
  }
  return { next, classOf, classes, depth, longest };
}

function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
