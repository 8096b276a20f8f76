/**
 * The bench's own server listens on a socket file only; the product is given an address. This passes bytes between the
 * two, in a process that has nothing else to do meanwhile.
 */
import type { ConnectionTarget } from "../../db/client.ts";

export interface Door {
  url: string;
  close(): void;
}

export function openDoor(target: ConnectionTarget): Door {
  if (typeof target === "string") return { url: target, close: () => {} };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const path = `${target.host}/.s.PGSQL.${target.port}`;
  void (async () => {
    for await (const outer of listener) {
      outer.setNoDelay(true);
      const inner = await Deno.connect({ transport: "unix", path });
      const end = () => {}; // either side may end first
      outer.readable.pipeTo(inner.writable).catch(end);
      inner.readable.pipeTo(outer.writable).catch(end);
    }
  })();
  const { port } = listener.addr;
  return { url: `postgres://${target.user}@127.0.0.1:${port}/${target.database}`, close: () => listener.close() };
}
