/** What is to be deployed may be here already: it serves, or it runs beside, prepared or held. Then nothing is started. */
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { writeRecord } from "./app_record.ts";
import type { AppRecord, RunningRelease } from "./app_record.ts";
import { clearBeside, judgeBeside, takeBeside } from "./beside.ts";
import { requireRouter, routedBy } from "./docker/public_port.ts";
import { succeed } from "./finish_deploy.ts";
import type { PmParts } from "./pm_parts.ts";
import { switchTo } from "./switch_release.ts";
import type { TaskLog } from "./task_log.ts";

export interface Present {
  folder: AppFolder;
  operation: Operation;
  record: AppRecord;
  context: RunContext;
  log: TaskLog;
  fingerprint: string;
  /** Whether the one that serves is as it was deployed, and healthy. */
  isWell(): Promise<boolean>;
}

/** undefined when it has to be started. */
export async function servePresent(pm: PmParts, present: Present): Promise<OutcomeInput | undefined> {
  const { folder, operation, record, context, log, fingerprint } = present;
  const { current, beside } = record;
  const isSame = (release: RunningRelease | undefined | null) =>
    !operation.reapply && release?.fingerprint === fingerprint;
  if (isSame(current) && await present.isWell()) {
    await context.trusted();
    const routed = routedBy(record, current!.spec.route, current!.ports);
    if (routed) await requireRouter(pm).switchTo(routed.route, routed.backend);
    await clearBeside(pm, folder, record, (text) => log.say(text));
    record.generation = operation.generation;
    record.current = { ...current!, generation: operation.generation };
    await writeRecord(pm.machine, folder, record);
    await log.say(`${operation.app} ${operation.version} runs here already and is healthy; nothing to do.`);
    return await succeed(pm, folder, operation, record, "runs already and is healthy");
  }
  if (!isSame(beside?.release) || await judgeBeside(pm, folder, operation.app, beside!.release)) return undefined;
  await log.say(`${operation.app} ${operation.version} runs here beside and is healthy; nothing has to be started.`);
  if (operation.action !== "prepare") return await switchTo(pm, { folder, operation, record, context, log });
  await context.trusted();
  return await takeBeside(pm, folder, operation, record);
}
