/** Greets. Told its port by PORT, asked for its health, ended by SIGTERM. */
const node = Deno.env.get("BOREAS_NODE") ?? "here";
const version = Deno.env.get("BOREAS_VERSION") ?? "unknown";
if (Deno.env.get("BROKEN_ON") === node) throw new Error(`This release does not run on ${node}.`);

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 0) }, (request) => {
  const { pathname } = new URL(request.url);
  return new Response(pathname === "/healthz" ? "ok\n" : `Hello from ${version} on ${node}.\n`);
});
