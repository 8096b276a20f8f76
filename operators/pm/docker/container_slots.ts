/** The containers of an application's two slots, found by name and known by their labels. */
import type { AppFolder, Slot } from "../app_folder.ts";
import { PmFailure } from "../failure.ts";
import type { PmParts } from "../pm_parts.ts";
import { containerName, LABEL } from "./container_plan.ts";
import type { ContainerFacts, Engine, RestartPolicyBody } from "./engine.ts";
import { isUp } from "./kept_container.ts";

interface Note {
  name: string;
  graceSeconds: number;
  /** We were about to end it: how it ended says nothing about it. */
  isStopping?: true;
}

export function requireEngine({ engine, node }: Pick<PmParts, "engine" | "node">): Engine {
  if (engine) return engine;
  throw new PmFailure("engine.missing", `${node.name} runs no containers: its agent was started without an engine.`);
}

/** Written before a container is made, so that whatever comes after a crash knows that there may be one. */
export async function noteContainer(pm: PmParts, folder: AppFolder, slot: Slot, graceSeconds: number): Promise<void> {
  await pm.machine.files.makeFolder(folder.slot(slot));
  await writeNote(pm, folder, slot, { name: containerName(folder, slot), graceSeconds });
}

const writeNote = (pm: PmParts, folder: AppFolder, slot: Slot, note: Note): Promise<void> =>
  pm.machine.files.writeText(folder.container(slot), JSON.stringify(note) + "\n", 0o600);

export async function isStopping(pm: PmParts, folder: AppFolder, slot: Slot): Promise<boolean> {
  const text = await pm.machine.files.readText(folder.container(slot));
  return text !== undefined && (JSON.parse(text) as Note).isStopping === true;
}

/** The container of a slot; undefined when there is none. */
export async function findOwn(engine: Engine, folder: AppFolder, slot: Slot): Promise<ContainerFacts | undefined> {
  const name = containerName(folder, slot);
  const facts = await engine.findContainer(name);
  if (!facts || facts.Config.Labels?.[LABEL.folder] === folder.path) return facts;
  throw new PmFailure(
    "container.taken",
    `A container named ${name} is on this machine that Boreas did not make for ${folder.app}; rename or remove it.`,
  );
}

/** Ends the container of a slot, and removes it unless it is to stay for whoever wants to look. */
export async function endContainer(
  pm: PmParts,
  folder: AppFolder,
  slot: Slot,
  { graceSeconds, remove }: { graceSeconds?: number | undefined; remove: boolean },
): Promise<void> {
  const text = await pm.machine.files.readText(folder.container(slot));
  if (text === undefined) return;
  const note = JSON.parse(text) as Note;
  const engine = requireEngine(pm);
  const facts = await findOwn(engine, folder, slot);
  if (facts) {
    if (facts.State.Paused) await engine.unpauseContainer(facts.Id); // one that is held still hears nothing
    if (isUp(facts)) {
      try {
        await writeNote(pm, folder, slot, { ...note, isStopping: true });
      } finally { // a full disk keeps nothing alive
        await engine.stopContainer(facts.Id, Math.ceil(graceSeconds ?? note.graceSeconds));
      }
    }
    if (remove) await engine.removeContainer(facts.Id);
  }
  if (remove) await pm.machine.files.remove(folder.container(slot));
}

/** Lets the container of a slot run, if it is there, and has the engine keep it so. */
export async function runContainer(
  pm: PmParts,
  folder: AppFolder,
  slot: Slot,
  policy: RestartPolicyBody,
): Promise<void> {
  const engine = requireEngine(pm);
  const facts = await findOwn(engine, folder, slot);
  if (!facts) return;
  if (facts.State.Paused) await engine.unpauseContainer(facts.Id);
  else if (!isUp(facts)) await engine.startContainer(facts.Id);
  await engine.setRestartPolicy(facts.Id, policy);
}
