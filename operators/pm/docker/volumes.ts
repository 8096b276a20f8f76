/**
 * What of the machine a container gets to see. Host paths are judged, and mounted, as what they are after every link:
 * a link that leads to the engine's socket is the engine's socket.
 */
import type { Operation } from "../../../protocol/operation.ts";
import { PmFailure } from "../failure.ts";
import type { Machine } from "../machine.ts";
import type { PmPolicy } from "../policy.ts";
import type { MountBody } from "./engine.ts";
import { POLICY_FILE } from "./image.ts";

/** With all below them: whoever writes there, or talks to what listens there, is root on this machine. */
const DANGEROUS = [
  "/bin",
  "/boot",
  "/dev",
  "/etc",
  "/lib",
  "/lib32",
  "/lib64",
  "/opt/boreas",
  "/proc",
  "/root",
  "/run",
  "/sbin",
  "/sys",
  "/usr",
  "/var/lib/boreas",
  "/var/lib/containerd",
  "/var/lib/docker",
  "/var/run",
  "/var/spool/cron",
];

interface Place {
  machine: Pick<Machine, "files">;
  policy: PmPolicy;
  node: string;
  /** The agent's own folder of applications. */
  root: string;
  /** Told of what only the machine's own policy allows. */
  warn(message: string): Promise<void>;
}

/** `/data/order:/data`, `/etc/order:/conf:ro`, or `cache:/cache`, a volume of this application's own. */
export async function planMounts(given: Place, operation: Operation, volumes: readonly string[]): Promise<MountBody[]> {
  const mounts: MountBody[] = [];
  // What is allowed is looked at in the same way: /var/run is a link on most machines.
  const paths = given.policy.paths &&
    await Promise.all(
      given.policy.paths.map(async (path) => (await given.machine.files.lookAt(path))?.path ?? path),
    );
  const place = { ...given, policy: { ...given.policy, paths } };
  for (const volume of volumes) mounts.push(await planMount(place, operation, volume));
  return mounts;
}

async function planMount(place: Place, { app, environment }: Operation, volume: string): Promise<MountBody> {
  const [source = "", target = "", mode = "rw", ...more] = volume.split(":");
  const isPath = (path: string) => path.startsWith("/") && !path.split("/").includes("..") && !path.includes("\0");
  const isName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(source);
  if (!isPath(target) || !["ro", "rw"].includes(mode) || more.length > 0 || !(isName || isPath(source))) {
    throw new PmFailure(
      "volume.form",
      `The volume ${
        JSON.stringify(volume)
      } of ${app} is not SOURCE:TARGET or SOURCE:TARGET:ro, where the target is an absolute path and the source one too, or a name.`,
    );
  }
  const ReadOnly = mode === "ro";
  if (isName) return { Type: "volume", Source: `boreas-${environment}-${app}-${source}`, Target: target, ReadOnly };
  const found = await place.machine.files.lookAt(source);
  if (!found) {
    throw new PmFailure(
      "volume.missing",
      `${app} mounts ${source}, which ${place.node} does not have; create it there.`,
    );
  }
  const refusal = refuseMount(place, found);
  if (refusal) {
    const shown = found.path === source ? source : `${source}, which leads to ${found.path}`;
    throw new PmFailure(
      "policy.path",
      `${place.node} does not mount ${shown} into a container of ${app}: ${refusal}. Who keeps the machine may allow it under paths in ${POLICY_FILE}.`,
    );
  }
  const danger = findDanger(place, found);
  if (danger) {
    await place.warn(
      `${found.path} is mounted into the container: the policy of ${place.node} allows it, though ${danger}.`,
    );
  }
  return { Type: "bind", Source: found.path, Target: target, ReadOnly };
}

/** undefined when it may be mounted. Named in the machine's own policy, anything may, but the whole machine. */
function refuseMount(place: Place, found: { path: string; kind: string }): string | undefined {
  if (found.path === "/") return "it is the whole machine";
  const { paths } = place.policy;
  if (!paths) return findDanger(place, found);
  return paths.some((allowed) => isBelow(found.path, allowed)) ? undefined : "its policy does not name that path";
}

function findDanger({ root }: Place, { path, kind }: { path: string; kind: string }): string | undefined {
  if (kind === "device" || kind === "socket") return `it is a ${kind}`;
  const near = [...DANGEROUS, root].find((danger) => isBelow(path, danger) || isBelow(danger, path));
  return near === undefined ? undefined : `${near} is the system's own`;
}

const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
