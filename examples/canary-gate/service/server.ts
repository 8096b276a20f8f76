/** Takes orders, counts those that fail, and tells Prometheus. Every so many fail, as FAILS says. */
const version = Deno.env.get("BOREAS_VERSION") ?? "unknown";
const every = Number(Deno.env.get("FAILS") ?? 0);
let orders = 0;
let failed = 0;

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 0) }, (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/healthz") return new Response("ok\n");
  if (pathname === "/metrics") {
    return new Response(`checkout_failed_share{version="${version}"} ${orders === 0 ? "NaN" : failed / orders}\n`);
  }
  orders++;
  const isFailure = every > 0 && orders % every === 0;
  if (isFailure) failed++;
  return new Response(isFailure ? "no\n" : "yes\n", { status: isFailure ? 500 : 200 });
});
