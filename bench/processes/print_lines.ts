/** A program that prints so many bytes of lines at a steady rate, each with the moment at which it was written. */
import { LINE_BYTES, makeLine, sharedNow } from "../support/log_lines.ts";

const [bytes, perSecond] = Deno.args.map(Number) as [number, number];
const encoder = new TextEncoder();
const began = performance.now();
const total = Math.floor(bytes / LINE_BYTES);
for (let printed = 0; printed < total;) {
  const due = Math.min(total, Math.floor((performance.now() - began) * perSecond / 1000));
  if (due > printed) {
    const stamp = sharedNow().toFixed(3);
    Deno.stdout.writeSync(encoder.encode(Array.from({ length: due - printed }, () => makeLine(stamp)).join("")));
    printed = due;
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
