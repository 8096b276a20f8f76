import { isEnded } from "../../protocol/http_api.ts";
import { command } from "../command.ts";
import { findEnvironment, findVersion } from "../find.ts";
import { usageError } from "../host.ts";
import { printResult } from "../print.ts";
import { readStrategy } from "./read_config.ts";
import { watchToEnd } from "./watch_to_end.ts";

export const deploy = command({
  summary: "create a deployment of a version to an environment",
  usage: "deploy VERSION ENVIRONMENT [flags]",
  details: `It waits for a person to start it unless --start is given.
Example:
  boreas deploy v1.2 staging --order user-service,order-service --start --watch
A strategy of its own is what stands below \`strategy:\` in a boreas.yaml; - reads standard input, as in:
  echo '{type: rolling, batch: 2}' | boreas deploy v1.2 prod --strategy -
It keeps the approvals and gates of the applications' own, unless your role may leave them out and --waive says why.
See it first with boreas plan --version v1.2 -e prod --strategy FILE.`,
  flags: {
    apps: { type: "list", value: "A,B", help: "only these applications" },
    order: { type: "list", value: "A,B", help: "deploy these one after another" },
    strategy: { type: "string", value: "FILE", help: "how it goes over its targets, instead of the applications' own" },
    waive: { type: "string", value: "REASON", help: "why --strategy leaves out their approvals and gates" },
    approval: { type: "boolean", help: "ask for an approval before it starts" },
    start: { type: "boolean", help: "start it at once" },
    watch: { type: "boolean", short: "w", help: "follow it to its end; fails when it fails" },
    note: { type: "string", value: "TEXT", help: "why, for the record" },
  },
  positionals: [2, 2],
  async run(context, [wantedVersion, wantedEnvironment], flags) {
    if (flags.waive !== undefined && flags.strategy === undefined) throw usageError("--waive goes with --strategy.");
    const strategy = flags.strategy !== undefined ? await readStrategy(context.host, flags.strategy) : undefined;
    const api = await context.api();
    const version = await findVersion(api, wantedVersion!);
    const environment = await findEnvironment(api, wantedEnvironment!);
    let deployment = await api.createDeployment({
      versionId: version.id,
      environmentId: environment.id,
      applications: flags.apps,
      mustInOrder: flags.order,
      strategy,
      override: flags.waive === undefined ? undefined : { reason: flags.waive },
      manualApproval: flags.approval || undefined,
    });
    // A plan in which nothing has to be done has ended already.
    if (flags.start && !isEnded(deployment.status)) {
      await api.actOnDeployment(deployment.id, "start", flags.note ? { note: flags.note } : {});
    }
    if (flags.watch) {
      if (!context.json) context.host.writeError(`Deployment ${deployment.id}\n`);
      return await watchToEnd(context, api, deployment.id);
    }
    deployment = await api.deployment(deployment.id);
    printResult(
      context,
      deployment,
      `Deployment ${deployment.id}\n${deployment.status.replaceAll("_", " ")}: ${deployment.reason.text}`,
    );
    return 0;
  },
});
