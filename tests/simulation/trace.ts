/** What happened, to be read by a person and compared by its hash. */
const KEPT = 5000;

export class Trace {
  readonly lines: string[] = [];
  count = 0;
  #hash = 0x811c9dc5;
  constructor(readonly now: () => number) {}

  say(who: string, what: string): void {
    const line = `${(this.now() / 1000).toFixed(3).padStart(9)} ${who.padEnd(4)} ${what}`;
    for (let i = 0; i < line.length; i++) this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), 0x01000193);
    this.count++;
    this.lines.push(line);
    if (this.lines.length > 2 * KEPT) this.lines.splice(0, KEPT);
  }
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
