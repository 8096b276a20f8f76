/** What of a container a specification decides, and in what two of them differ. */
import type { Difference } from "../../operator.ts";
import { sha256Of } from "../fingerprint.ts";
import type { ContainerFacts, PortBindings } from "./engine.ts";

/** Each part as text to compare, and to show. Of the environment a hash: it holds secrets. */
export interface ContainerShape {
  image: string;
  command: string;
  env: string;
  ports: string;
  mounts: string;
  resources: string;
  privileges: string;
}

export async function shapeOf({ Config, HostConfig, Mounts }: ContainerFacts): Promise<ContainerShape> {
  const ports = Object.entries((HostConfig.PortBindings ?? {}) as Partial<PortBindings>).flatMap(([inside, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => `${HostIp || "*"}:${HostPort}->${inside}`)
  );
  const mounts = Mounts.map(({ Type, Name, Source, Destination, RW }) =>
    `${Type === "volume" ? Name : Source}:${Destination}${RW ? "" : ":ro"}`
  );
  const { Memory, NanoCpus, Privileged, NetworkMode, PidMode, CapAdd } = HostConfig;
  return {
    image: Config.Image,
    command: (Config.Cmd ?? []).join(" "),
    env: `sha256:${(await sha256Of((Config.Env ?? []).toSorted())).slice(0, 12)}`,
    ports: ports.toSorted().join(", "),
    mounts: mounts.toSorted().join(", "),
    resources: `memory ${Memory || "unlimited"}, cpu ${NanoCpus ? NanoCpus / 1e9 : "unlimited"}`,
    privileges: [
      Privileged ? "privileged" : "unprivileged",
      `network ${NetworkMode === "bridge" ? "default" : NetworkMode ?? "default"}`,
      ...(PidMode ? [`pid ${PidMode}`] : []),
      ...(CapAdd ?? []),
    ].join(", "),
  };
}

export const compareShapes = (expected: ContainerShape, actual: ContainerShape): Difference[] =>
  (Object.keys(expected) as (keyof ContainerShape)[]).filter((path) => expected[path] !== actual[path]).map((path) => ({
    path,
    expected: expected[path],
    actual: actual[path],
  }));
