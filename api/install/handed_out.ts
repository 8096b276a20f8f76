/** What this master was built with to install agents from: the port of whoever reads it. */
export interface AgentFile {
  /** A plain name, such as `boreas-agent.js` or `deno-linux-amd64`. */
  name: string;
  sha256: string;
  /** Bytes, unpacked. */
  size: number;
}
export interface PackedFile {
  /** Bytes, packed. */
  size: number;
  /** Gzipped. */
  body: ReadableStream<Uint8Array<ArrayBuffer>>;
}
export interface AgentFiles {
  version: string;
  files: readonly AgentFile[];
  /** The install script before it is filled in. */
  script: string;
  /** @returns undefined for what is not among `files` */
  open(name: string): Promise<PackedFile | undefined>;
}
