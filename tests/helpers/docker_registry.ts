/** A real container registry on a port of this machine, and images pushed to it over HTTP. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { freePorts } from "./free_ports.ts";
import { findProgram } from "./require_component.ts";

export interface TestRegistry {
  /** `127.0.0.1:PORT` */
  host: string;
  /** What it keeps; another registry may serve the same. */
  folder: string;
  /** Pushes an image of one empty layer; returns its digest. */
  push(repository: string, tag: string, content?: string): Promise<string>;
  stop(): Promise<void>;
}
/**
 * @param login a line of an htpasswd file: without it everybody is let in
 * @param of a registry whose images it serves too
 * @param address of this host to listen on
 */
export async function startRegistry(
  { login, of, address = "127.0.0.1" }: { login?: string; of?: TestRegistry; address?: string } = {},
): Promise<TestRegistry> {
  const folder = await Deno.makeTempDir({ prefix: "boreas-registry-" });
  if (login) await Deno.writeTextFile(join(folder, "htpasswd"), `${login}\n`);
  const auth = login ? `auth: { htpasswd: { realm: boreas, path: ${folder}/htpasswd } }\n` : "";
  const [port] = freePorts(1);
  const host = `${address}:${port}`;
  await Deno.writeTextFile(
    join(folder, "config.yml"),
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${
      of?.folder ?? folder
    }/data } }\n${auth}http: { addr: "${host}" }\n`,
  );
  const child = new Deno.Command(findProgram("docker-registry")!, {
    args: ["serve", join(folder, "config.yml")],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `http://${host}/v2/`;
  await untilListening(url, child);
  const upload = async (repository: string, bytes: Uint8Array<ArrayBuffer>) => {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const begun = await fetch(`${url}${repository}/blobs/uploads/`, { method: "POST" });
    await begun.body?.cancel();
    const place = new URL(begun.headers.get("location")!, url);
    place.searchParams.set("digest", digest);
    const done = await fetch(place, {
      method: "PUT",
      body: bytes,
      headers: { "content-type": "application/octet-stream" },
    });
    await done.body?.cancel();
    if (done.status !== 201) throw new Error(`the registry answers ${done.status} to a blob`);
    return { digest, size: bytes.length };
  };
  return {
    host,
    folder,
    async push(repository, tag, content = tag) {
      const bytes = (text: string) => new TextEncoder().encode(text);
      const config = await upload(repository, bytes(JSON.stringify({ architecture: "amd64", os: "linux", content })));
      const layer = await upload(repository, bytes(content));
      const docker = "application/vnd.docker.";
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: `${docker}distribution.manifest.v2+json`,
        config: { mediaType: `${docker}container.image.v1+json`, ...config },
        layers: [{ mediaType: `${docker}image.rootfs.diff.tar.gzip`, ...layer }],
      });
      const put = await fetch(`${url}${repository}/manifests/${tag}`, {
        method: "PUT",
        body: manifest,
        headers: { "content-type": `${docker}distribution.manifest.v2+json` },
      });
      await put.body?.cancel();
      if (put.status !== 201) throw new Error(`the registry answers ${put.status} to a manifest`);
      return put.headers.get("docker-content-digest")!;
    },
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Asks until it answers; its end while starting is an error. */
async function untilListening(url: string, child: Deno.ChildProcess): Promise<void> {
  new URL(url); // a wrong one would never be answered
  let ended = false;
  child.status.then(() => (ended = true));
  for (;;) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      return;
    } catch (error: unknown) {
      if (!(error instanceof TypeError)) throw error;
      if (ended) throw new Error("docker-registry ended while starting");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
