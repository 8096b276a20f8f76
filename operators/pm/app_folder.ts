/**
 * Where one application of one environment lives on a machine:
 *
 *   <root>/<environment>/<app>/release.json     what should run here (app_record.ts)
 *                              current          -> releases/<the one that runs>
 *                              releases/<name>/ an unpacked release; there only when it is whole
 *                              slots/{a,b}/     start.json (0600: holds secrets) and run/, the keeper's folder; container.json;
 *                                               stopping, from before we end it until another is started
 *                              tasks/<task>/    keeper's folders of a script task, while it runs
 *                              hooks/<task>/    a bundle and keeper's folders of a hook or a gate's script, while it runs
 *                              fetch/           downloads, while they run
 */
import type { Operation } from "../../protocol/operation.ts";
import { PmFailure } from "./failure.ts";

export type Slot = "a" | "b";

export class AppFolder {
  constructor(readonly root: string, readonly environment: string, readonly app: string) {}

  get path(): string {
    return `${this.root}/${this.environment}/${this.app}`;
  }
  get record(): string {
    return `${this.path}/release.json`;
  }
  get current(): string {
    return `${this.path}/current`;
  }
  get releases(): string {
    return `${this.path}/releases`;
  }
  get fetch(): string {
    return `${this.path}/fetch`;
  }
  release(name: string): string {
    return `${this.releases}/${name}`;
  }
  slot(slot: Slot): string {
    return `${this.path}/slots/${slot}`;
  }
  start(slot: Slot): string {
    return `${this.slot(slot)}/start.json`;
  }
  stopping(slot: Slot): string {
    return `${this.slot(slot)}/stopping`;
  }
  /** There from before a container is made until after it is removed. */
  container(slot: Slot): string {
    return `${this.slot(slot)}/container.json`;
  }
  run(slot: Slot): string {
    return `${this.slot(slot)}/run`;
  }
  get hooks(): string {
    return `${this.path}/hooks`;
  }
  tasks(name: string): string {
    return `${this.path}/tasks/${name}`;
  }
}

/** Names that come over the wire become paths here: so they are looked at once more. */
export function appFolderOf(root: string, operation: Operation): AppFolder {
  const { environment, app, versionId } = operation;
  for (const name of [environment, app, versionId]) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) {
      throw new PmFailure("operation.name", `${JSON.stringify(name)} cannot be a folder's name, so nothing was done.`);
    }
  }
  return new AppFolder(root, environment, app);
}

/** A path of the release, from the release's own files; never out of it. */
export function insideRelease(release: string, path: string): string {
  // deno-lint-ignore no-control-regex
  if (path.startsWith("/") || /[\x00-\x1f]/.test(path) || path.split("/").includes("..")) {
    throw new PmFailure("release.path", `${JSON.stringify(path)} leads out of the release's folder.`);
  }
  return `${release}/${path.replace(/^(\.\/)+/, "")}`;
}
