/** Lines as a build prints them: 118 bytes each with the newline, numbered, so that a lost or doubled one would show. */
export const LINE_BYTES = 118;
const encoder = new TextEncoder();
const FILL =
  " compiled module services/payments/src/ledger/settlement_window.ts in 41 ms, 12 exports, cache miss 0x7f3a";

/** @param stamp stands at the beginning of the line */
export const makeLine = (stamp: string): string =>
  `${stamp}${FILL}${" ".repeat(LINE_BYTES)}`.slice(0, LINE_BYTES - 1) + "\n";

/** About `bytes` of whole lines, the same each time. */
export function makeBlock(bytes: number): Uint8Array<ArrayBuffer> {
  const count = Math.floor(bytes / LINE_BYTES);
  return encoder.encode(Array.from({ length: count }, (_, n) => makeLine(String(n).padStart(10, "0"))).join(""));
}

/** Milliseconds that mean the same in every process of this machine. */
export const sharedNow = (): number => performance.timeOrigin + performance.now();
