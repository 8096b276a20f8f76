/** What stands before several masters: each connection goes to the next of them in turn that takes it. */
import net from "node:net";
import type { AddressInfo } from "node:net";

export interface Balancer {
  url: string;
  /** When each connection reached a backend, in milliseconds of `performance.now()`. */
  openedAt: number[];
  /** Open connections by port of the backend. */
  spread(): Record<number, number>;
  close(): Promise<void>;
}

export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const open = new Map<net.Socket, number>();
  const openedAt: number[] = [];
  let turn = 0;
  const server = net.createServer((client) => {
    client.on("error", () => {}); // `close` follows
    const first = turn++;
    const attempt = (n: number) => {
      if (n === ports.length) return void client.destroy(); // nobody is there: the dialler hears it
      const port = ports[(first + n) % ports.length]!;
      const backend = net.connect({ host: "127.0.0.1", port });
      backend.once("error", () => {
        if (!open.has(client)) attempt(n + 1);
      });
      backend.once("connect", () => {
        if (client.destroyed) return void backend.destroy();
        open.set(client, port);
        openedAt.push(performance.now());
        client.pipe(backend).pipe(client);
        const end = () => {
          open.delete(client);
          client.destroy();
          backend.destroy();
        };
        client.once("close", end);
        backend.once("close", end);
      });
    };
    attempt(0);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    openedAt,
    spread: () => Object.fromEntries(ports.map((port) => [port, [...open.values()].filter((p) => p === port).length])),
    close() {
      for (const client of open.keys()) client.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
