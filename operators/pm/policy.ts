/** What this machine allows, whatever the master asks: read from the machine's own file, never from the wire. */
export interface PmPolicy {
  modes: readonly ("docker" | "binary" | "script")[];
  /** Users that programs may run as; undefined allows any. */
  users?: readonly string[] | undefined;
  /** Folders that may be mounted into a container, with what is below them; undefined allows what is not dangerous. */
  paths?: readonly string[] | undefined;
  /** Registries that images may come from, such as `reg.example.com`; undefined allows any. */
  registries?: readonly string[] | undefined;
  /** Image names as globs, without tag; undefined allows any. */
  images?: readonly string[] | undefined;
}
