/** Which ports a release gets, and who stands in the way of the fixed ones. */
import type { RenderedSpec } from "../../protocol/operation.ts";
import type { AppRecord } from "./app_record.ts";
import { contestedPorts } from "./docker/public_port.ts";
import type { Slot } from "./app_folder.ts";
import { PmFailure } from "./failure.ts";
import type { Machine } from "./machine.ts";

type Wanted = Readonly<Record<string, number | "auto">>;

/** Automatic ports stay with their slot while they are free, so that addresses change as little as can be. */
export async function choosePorts(machine: Machine, wanted: Wanted, record: AppRecord, slot: Slot) {
  const ports: Record<string, number> = {};
  // The other slot's ports may be free this moment only because its program is restarting.
  const taken = new Set(Object.values(record.current?.ports ?? {}));
  for (const [name, port] of Object.entries(wanted)) {
    if (port !== "auto") ports[name] = port;
    else {
      const before = record.ports[slot][name];
      const isFree = before !== undefined && !taken.has(before) && await machine.portHolder(before) === undefined;
      let chosen = isFree ? before : await machine.choosePort();
      while (taken.has(chosen)) chosen = await machine.choosePort();
      ports[name] = chosen;
    }
    taken.add(ports[name]!);
  }
  return ports;
}

/** The ports that the release which runs now has too: it must stop before the new one can have them. */
export function sharedPorts(wanted: Wanted, spec: Pick<RenderedSpec, "route">, { current }: AppRecord): number[] {
  const fixed = Object.values(wanted).filter((port): port is number => port !== "auto");
  const held = current?.slot ? Object.values(current.ports) : [];
  return [...new Set([...fixed.filter((port) => held.includes(port)), ...contestedPorts(current, spec, fixed)])];
}

export async function requireFree(machine: Machine, app: string, wanted: Wanted, except: number[]): Promise<void> {
  for (const [name, port] of Object.entries(wanted)) {
    if (port === "auto" || except.includes(port)) continue;
    const holder = await machine.portHolder(port);
    if (holder === undefined) continue;
    throw new PmFailure(
      "port.taken",
      `Port ${port} (${name}) of ${app} is taken by ${holder}; stop that, choose another port, or use "auto".`,
      { details: { port, holder } },
    );
  }
}
