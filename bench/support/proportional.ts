/** What processes hold of this machine's memory, shared pages split among those who share them. */
export interface Held {
  /** MiB; all of them together are what would be free without them. */
  pss: number;
  /** MiB of it that no file stands behind. */
  anonymous: number;
}

export function heldBy(pid: number): Held {
  const text = new TextDecoder().decode(
    new Deno.Command("cat", { args: [`/proc/${pid}/smaps_rollup`], stderr: "null" }).outputSync().stdout,
  );
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { pss: field("Pss"), anonymous: field("Pss_Anon") };
}

/** Those whose environment holds this word. */
export function taggedWith(tag: string): number[] {
  const script = 'for e in $(grep -lszF -- "$1" /proc/[0-9]*/environ); do e=${e#/proc/}; echo "${e%/environ}"; done';
  const { stdout } = new Deno.Command("/bin/sh", { args: ["-c", script, "tagged", tag] }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").map(Number).filter((pid) => pid > 0);
}
