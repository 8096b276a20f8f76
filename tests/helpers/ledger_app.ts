/** The ledger application: a script that notes its start and end outside Boreas, and prints numbered lines in between. */
import { join } from "node:path";
import type { GitRemoteFixture } from "./git_remote.ts";
import { temporaryFolder } from "./temporary_folder.ts";

export interface LedgerLine {
  /** `beat`: still alive; between the lines of an application that beats. */
  what: "start" | "beat" | "end";
  task: string;
  attempt: number;
  fence: number;
  /** Nanoseconds. */
  at: bigint;
}

/** `tag` makes the files of two pushes differ. */
export async function pushLedgerApp(
  remote: GitRemoteFixture,
  options: {
    name: string;
    environment: string;
    lines: number;
    secondsBetween: number;
    ledger: string;
    tag?: string;
    /** Also notes that it lives, once per line: of an attempt that is killed this is the only sign of how long it lived. */
    beats?: boolean;
  },
): Promise<string> {
  const script = `#!/bin/sh
note() { echo "$1 $BOREAS_TASK_ID $BOREAS_ATTEMPT $BOREAS_FENCE $(date +%s%N)" >> "${options.ledger}"; }
note start
i=1
while [ $i -le ${options.lines} ]; do echo "line $i";${
    options.beats ? " note beat;" : ""
  } sleep ${options.secondsBetween}; i=$((i + 1)); done
note end
# ${options.tag ?? ""}
`;
  const config = `apiVersion: boreas/v1
kind: Application
name: ${options.name}
bundle: [ops/**]
runtime: { script: { deploy: ops/deploy.sh } }
strategy: { type: all, onFailure: { action: stop } }
environments: { ${options.environment}: {} }
---
apiVersion: boreas/v1
kind: Plan
triggers: [{ on: push, branch: main, environment: ${options.environment}, start: auto }]
`;
  return await remote.push({ "ops/deploy.sh": script, "boreas.yaml": config }, { executable: ["ops/deploy.sh"] });
}

export async function readLedger(path: string): Promise<LedgerLine[]> {
  let text = "";
  try {
    text = await Deno.readTextFile(path);
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return text.split("\n").filter(Boolean).map((line) => {
    const [what, task, attempt, fence, at] = line.split(" ");
    return {
      what: what as LedgerLine["what"],
      task: task!,
      attempt: Number(attempt),
      fence: Number(fence),
      at: BigInt(at!),
    };
  });
}

export const ledgerPath = async () => join(await temporaryFolder("ledger"), "ledger");
export const numberedLines = (n: number) => Array.from({ length: n }, (_, i) => `line ${i + 1}\n`).join("");
