/** How the agent speaks to the proxy: over a socket file of its own folder, one JSON line there and one back. */
import type { Backend, PublicPort, Route } from "./routes.ts";

export type Command =
  | { do: "status" }
  | { do: "switch"; route: PublicPort; backend: Backend }
  | { do: "drain"; backend: Backend; seconds: number }
  | { do: "remove"; route: PublicPort }
  /** Another proxy has the ports too: take no new connection, end when the old ones have. */
  | { do: "retire" };

export interface Status {
  version: string;
  pid: number;
  routes: Route[];
  /** Ports that routes name and nobody lets us have. */
  missing: number[];
  /** Requests and connections open to each route's backend, in the order of `routes`. */
  open: number[];
}
export type Answer = { ok: true; status?: Status; open?: number } | { ok: false; code: string; message: string };

const LINE_BYTES = 1024 * 1024;

async function readLine(connection: Deno.Conn): Promise<string | undefined> {
  const decoder = new TextDecoder();
  const part = new Uint8Array(4096);
  for (let text = ""; text.length < LINE_BYTES;) {
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
    const read = await connection.read(part);
    if (read === null) return undefined;
    text += decoder.decode(part.subarray(0, read), { stream: true });
  }
  return undefined;
}

async function writeLine(connection: Deno.Conn, value: unknown): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(value) + "\n");
  for (let written = 0; written < bytes.length;) written += await connection.write(bytes.subarray(written));
}

/** undefined when no proxy is there. */
export async function askProxy(socket: string, command: Command): Promise<Answer | undefined> {
  let connection: Deno.Conn;
  try {
    connection = await Deno.connect({ transport: "unix", path: socket });
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) return undefined;
    throw error;
  }
  try {
    await writeLine(connection, command);
    const line = await readLine(connection);
    return line === undefined ? undefined : JSON.parse(line) as Answer;
  } catch (error: unknown) {
    // It ended while we asked: whoever asks looks again.
    if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return undefined;
    throw error;
  } finally {
    connection.close();
  }
}

/** The folder is nobody else's, so neither is a socket in it. A socket that a dead proxy left is replaced. */
export function serveControl(
  socket: string,
  answer: (command: Command) => Promise<Answer>,
  broken: (error: unknown) => void,
): void {
  const fresh = `${socket}.${Deno.pid}`;
  const listener = Deno.listen({ transport: "unix", path: fresh });
  Deno.chmodSync(fresh, 0o600);
  Deno.renameSync(fresh, socket);
  const serve = async (connection: Deno.Conn) => {
    try {
      const line = await readLine(connection);
      if (line !== undefined) await writeLine(connection, await answer(JSON.parse(line) as Command));
    } finally {
      connection.close();
    }
  };
  (async () => {
    for await (const connection of listener) serve(connection).catch(broken);
  })().catch(broken);
}
