/**
 * The product's agent for work that no machine is named for: in a `mock` environment any agent may be handed a task, and
 * another one after it. Here such a task is not played but run, by the scripts of its bundle like on any machine.
 */
import { machineOperators, runAgent } from "../../../compose/agent.ts";
import type { Operation } from "../../../protocol/operation.ts";
import { DEPLOY_SCRIPT } from "./ledger_apps.ts";

const asScript = (operation: Operation): Operation => ({
  ...operation,
  kind: "pm",
  spec: operation.spec && { ...operation.spec, runtime: { mode: "script", deploy: DEPLOY_SCRIPT } },
});

if (import.meta.main) {
  Deno.exit(
    await runAgent((name) => Deno.env.get(name), (parts) =>
      machineOperators(parts).map((machine) => ({
        ...machine,
        kind: "mock",
        run: (operation, context) => machine.run(asScript(operation), context),
      }))),
  );
}
