/** What the machine remembers of an application: written whole before anything follows from it. */
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";
import type { AppFolder, Slot } from "./app_folder.ts";
import type { ContainerShape } from "./docker/container_shape.ts";
import type { Machine, SignalName, UnitPlan } from "./machine.ts";
import type { Routed } from "./router.ts";

/** What a binary was when it was started. */
export interface BinaryShape {
  /** The files of the release that its arguments name, its program first among them. */
  files: Record<string, string>;
  /** Of argument vector, folder and user. */
  exec: string;
  /** Per variable: which one is another is told, its value not. */
  env: Record<string, string>;
}

/** A version that was deployed here. */
export interface RunningRelease {
  /** Its folder below `releases/`. */
  name: string;
  versionId: string;
  version: string;
  /** Of everything that decides what runs, secrets included: deploying the same again changes nothing. */
  fingerprint: string;
  /** null when scripts deployed it: then no process of ours belongs to it. */
  slot: Slot | null;
  ports: Record<string, number>;
  taskId: string;
  fence: number;
  spec: RenderedSpec;
  /** How its container was when it started. */
  container?: ContainerShape;
  /** How its program was when it started. */
  binary?: BinaryShape;
  /** Of the deployment that sent requests to it last. */
  generation?: number;
}

/** What runs in the other slot, beside `current`. */
export interface Beside {
  /** `prepared` is healthy and has had no requests yet; `held` has served, and goes on running behind the one that serves. */
  role: "prepared" | "held";
  release: RunningRelease;
  /** Of the deployment that has it there. */
  generation: number;
  /** RFC 3339. Nothing stays beside for ever (`beside.ts`). */
  since: string;
}

export interface Pending {
  taskId: string;
  fence: number;
  slot: Slot;
  stoppedOld: boolean;
  /** What is in the slot was prepared before this attempt, which only switches: taken back, it goes on running there. */
  isSwitch?: true;
  /** Where the machine's proxy sent requests before, and where it is to send them. */
  from?: Routed | undefined;
  to?: Routed | undefined;
  /** A load balancer was told to send nothing here: the script that takes it back, and the release that has it. */
  drained?: { release: string; undrain: string } | undefined;
}

export interface AppRecord {
  app: string;
  environment: string;
  environmentId: string;
  applicationId: string;
  /** The newest that acted here; an older one is refused. */
  generation: number;
  /** What should run: the supervisor keeps it so. */
  current: RunningRelease | null;
  /** A deploy that began to act and did not end: after a crash of the agent its leftovers are in this slot. */
  pending: Pending | null;
  /** Absent in records of agents that knew no releases in parts. */
  beside?: Beside | null;
  /** Releases that ran here, newest first: what a prune spares. */
  history: string[];
  /** The automatic ports that each slot had last. */
  ports: Record<Slot, Record<string, number>>;
}

export async function readRecord(machine: Machine, folder: AppFolder): Promise<AppRecord | undefined> {
  const text = await machine.files.readText(folder.record);
  return text === undefined ? undefined : JSON.parse(text) as AppRecord;
}

export const emptyRecord = (operation: Operation): AppRecord => ({
  app: operation.app,
  environment: operation.environment,
  environmentId: operation.environmentId,
  applicationId: operation.applicationId,
  generation: 0,
  current: null,
  pending: null,
  beside: null,
  history: [],
  ports: { a: {}, b: {} },
});

export const writeRecord = (machine: Machine, folder: AppFolder, record: AppRecord): Promise<void> =>
  machine.files.writeText(folder.record, JSON.stringify(record, null, 2) + "\n", 0o600);

/** How a process of ours was started: enough to start it again after it crashed or the machine restarted. */
export interface SlotStart {
  command: string[];
  cwd: string;
  env: Record<string, string>;
  user?: string | undefined;
  stop: { signal: SignalName; graceSeconds: number };
  /** The unit of its own that it runs in; a keeper alone holds it where there is none. */
  unit?: UnitPlan | undefined;
}

export async function readStart(machine: Machine, folder: AppFolder, slot: Slot): Promise<SlotStart | undefined> {
  const text = await machine.files.readText(folder.start(slot));
  return text === undefined ? undefined : JSON.parse(text) as SlotStart;
}

export async function writeStart(machine: Machine, folder: AppFolder, slot: Slot, start: SlotStart): Promise<void> {
  await machine.files.makeFolder(folder.slot(slot));
  await machine.files.writeText(folder.start(slot), JSON.stringify(start) + "\n", 0o600);
}

/** The record names what the attempt brought up: then only the old release is left to end. */
export const isCommitted = ({ current, pending }: AppRecord): boolean =>
  pending !== null && current?.slot === pending.slot;

/** What every process of one attempt carries in its environment, and so what its strays are found by. */
export const tagsOf = ({ taskId, fence }: { taskId: string; fence: number }): string[] => [
  `BOREAS_TASK_ID=${taskId}`,
  `BOREAS_FENCE=${fence}`,
];
