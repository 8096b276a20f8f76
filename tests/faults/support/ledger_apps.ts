/**
 * Many ledger applications from one push, cheap enough to run side by side: between their lines they start no process.
 * Each notes its start, that it lives (`beat`), and its end. Where a gate is asked for, it goes on until the gate opens.
 */
import { dirname, join } from "node:path";
import type { GitRemoteFixture } from "../../helpers/git_remote.ts";

/** Path within the bundle. */
export const DEPLOY_SCRIPT = "ops/deploy.sh";

export interface LedgerApps {
  names: string[];
  environment: string;
  ledger: string;
  lines: number;
  secondsBetween: number;
  /** A folder: an attempt ends when the file `<app>.<attempt>`, `<app>` or `all` is there. */
  gates?: string;
  exitCode?: number;
  /** Makes the files of two pushes differ. */
  tag: string;
  /** Starts a deployment by itself. */
  autoStart?: boolean;
}

export async function pushLedgerApps(remote: GitRemoteFixture, apps: LedgerApps): Promise<string> {
  const { names, environment, ledger, lines, secondsBetween, gates, exitCode = 0, tag, autoStart } = apps;
  const closed = gates
    ? `while [ ! -e "${gates}/$BOREAS_APP.$BOREAS_ATTEMPT" ] && [ ! -e "${gates}/$BOREAS_APP" ] && [ ! -e "${gates}/all" ]; do note beat; pause; done`
    : ":";
  const script = `#!/bin/bash
LC_ALL=C
exec {never}<> <(:)
note() { local now=$EPOCHREALTIME; echo "$1 $BOREAS_TASK_ID $BOREAS_ATTEMPT $BOREAS_FENCE \${now/./}000" >> "${ledger}"; }
pause() { read -r -t ${secondsBetween} -u $never; [ -d "${dirname(ledger)}" ] || exit 1; }
note start
for ((i = 1; i <= ${lines}; i++)); do echo "line $i"; note beat; pause; done
${closed}
note end
exit ${exitCode}
# ${tag}
`;
  const application = (name: string) =>
    `apiVersion: boreas/v1
kind: Application
name: ${name}
bundle: [ops/**]
runtime: { script: { deploy: ${DEPLOY_SCRIPT} } }
strategy: { type: all, onFailure: { action: stop } }
environments: { ${environment}: {} }
`;
  const plan = `apiVersion: boreas/v1
kind: Plan
triggers: [{ on: push, branch: main, environment: ${environment}${autoStart ? ", start: auto" : ""} }]
`;
  const files = { [DEPLOY_SCRIPT]: script, "boreas.yaml": [...names.map(application), plan].join("---\n") };
  return await remote.push(files, { executable: [DEPLOY_SCRIPT] });
}

export const openGate = (gates: string, name: string): Promise<void> => Deno.writeTextFile(join(gates, name), "");
