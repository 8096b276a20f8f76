/** A small HTTP service as Boreas wants one: told its port by PORT, asked for its health, ended by SIGTERM. */
import { enter } from "./address_book.ts";

export interface Service {
  edition: string;
  isHealthy(): Promise<boolean>;
  /** What it answers besides who it is. */
  answer(): Promise<Record<string, unknown>>;
}

export function serve({ edition, isHealthy, answer }: Service): void {
  const service = Deno.env.get("BOREAS_APP") ?? "service";
  const version = Deno.env.get("BOREAS_VERSION") ?? "unknown";
  const startedAt = new Date().toISOString();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: Number(Deno.env.get("PORT") ?? 0),
    onListen: ({ port }) => console.log(`${service} ${edition} (${version}) listens on port ${port}`),
  }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/") return Response.json({ service, version, edition, startedAt, ...await answer() });
    if (pathname !== "/healthz") return new Response("not found\n", { status: 404 });
    const healthy = await isHealthy();
    if (!healthy) console.log(`${service} ${edition} is not healthy`);
    return new Response(healthy ? "ok\n" : "not healthy\n", { status: healthy ? 200 : 500 });
  });
  const entered = enter(service, server.addr.port);
  Deno.addSignalListener("SIGTERM", async () => {
    console.log(`${service} ${edition} ends`);
    const leave = await entered;
    await leave();
    await server.shutdown();
    Deno.exit(0);
  });
}
