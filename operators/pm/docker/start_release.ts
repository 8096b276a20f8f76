/** Makes and starts the container of a release; of automatic ports it takes others when one was snatched meanwhile. */
import type { Operation, RenderedSpec } from "../../../protocol/operation.ts";
import type { RunContext } from "../../operator.ts";
import type { AppFolder, Slot } from "../app_folder.ts";
import { buildEnvironment, knownOf } from "../environment.ts";
import { PmFailure } from "../failure.ts";
import { fillPlaceholders } from "../placeholders.ts";
import type { PmParts } from "../pm_parts.ts";
import type { TaskLog } from "../task_log.ts";
import { containerName, graceOf, planContainer, RELEASE_DIR } from "./container_plan.ts";
import type { DockerRuntime } from "./container_plan.ts";
import { noteContainer, requireEngine } from "./container_slots.ts";
import { isEngineError } from "./engine.ts";
import type { ContainerFacts, MountBody } from "./engine.ts";
import type { PinnedImage } from "./image.ts";

const TRIES = 3;

export interface ReleaseStart {
  folder: AppFolder;
  slot: Slot;
  operation: Operation;
  spec: RenderedSpec;
  runtime: DockerRuntime;
  image: PinnedImage;
  mounts: MountBody[];
  fingerprint: string;
  /** Of the release's folder. */
  name: string;
  ports: Record<string, number>;
  context: RunContext;
  log: TaskLog;
  /** Remembers the ports before anything is made with them. */
  chose(ports: Record<string, number>): Promise<void>;
}

export async function startRelease(pm: PmParts, start: ReleaseStart): Promise<ContainerFacts> {
  const { folder, slot, operation, spec, runtime, context, log } = start;
  const engine = requireEngine(pm);
  const hasFiles = spec.bundle !== null || spec.files.length > 0;
  const mounts: MountBody[] = hasFiles
    ? [...start.mounts, { Type: "bind", Source: folder.release(start.name), Target: RELEASE_DIR, ReadOnly: true }]
    : start.mounts;
  const { env, command } = tell(pm, start);
  const called = containerName(folder, slot);
  let ports = start.ports;
  for (let tries = 1;; tries++) {
    await context.trusted();
    await start.chose(ports);
    await noteContainer(pm, folder, slot, graceOf(runtime));
    const body = planContainer({
      ...{ folder, slot, operation, spec, runtime, command, env, ports, mounts },
      image: start.image.address,
      attempt: context,
      fingerprint: start.fingerprint,
    });
    const id = await engine.createContainer(called, body);
    const failure = await tryStart(pm, id, operation.app, spec.route.mode === "proxy");
    if (!failure) {
      const where = Object.entries(ports).map(([port, number]) => `${port} on ${number}`).join(", ");
      await log.say(
        `Started ${operation.app} ${operation.version} in the container ${called}${where ? `, ${where}` : ""}.`,
      );
      const facts = await engine.findContainer(id);
      if (facts) return facts;
      throw new PmFailure("container.gone", `The container of ${operation.app} was removed by someone else.`);
    }
    await engine.removeContainer(id);
    if (failure !== "port" || tries === TRIES) throw failure === "port" ? portTaken(operation.app, ports) : failure;
    const others: Record<string, number> = {};
    for (const port of Object.keys(ports)) others[port] = await pm.machine.choosePort();
    ports = others;
  }
}

const portTaken = (app: string, ports: Readonly<Record<string, number>>) =>
  new PmFailure("port.taken", `A port of ${app} (${Object.values(ports).join(", ")}) is taken by another program.`);

async function tryStart(
  pm: PmParts,
  id: string,
  app: string,
  mayMove: boolean,
): Promise<PmFailure | "port" | undefined> {
  try {
    await requireEngine(pm).startContainer(id);
    return undefined;
  } catch (error: unknown) {
    if (!isEngineError(error) || error.status === undefined) throw error;
    const isPort = /port is already allocated|address already in use/i.test(error.message);
    if (isPort && mayMove) return "port";
    return new PmFailure(
      isPort ? "port.taken" : "container.start",
      `The container of ${app} could not be started: ${error.message.trim().replace(/\.$/, "")}.`,
    );
  }
}

/** Inside it its ports are those of the specification; nothing of the machine's own environment comes along. */
function tell(pm: PmParts, { operation, spec, runtime, context }: ReleaseStart) {
  const { taskId, attempt, fence, secrets } = context;
  const bare = { ...pm.machine, baseEnv: {} };
  const inside = runtime.ports ?? {};
  const place = { node: pm.node.name, release: RELEASE_DIR, ports: inside };
  const env = buildEnvironment(bare, operation, spec, { taskId, attempt, fence, secrets }, place);
  const known = knownOf(pm.machine, operation, inside, spec.env);
  const fill = (argument: string) => fillPlaceholders(argument, known, `command of ${operation.app}`);
  return { env, command: runtime.command?.map(fill) };
}
