/** Answers instant queries as the HTTP API of Prometheus does: with a sample for each machine that runs what is asked for. */
export interface MetricsSource {
  address: string;
  /** The queries it was asked, in order. */
  asked: string[];
  close(): Promise<void>;
}
export interface MachineSample {
  node: string;
  /** What the query names in its `version`. */
  version: string;
  value: number;
}

export function startMetricsSource(scrape: () => Promise<MachineSample[]>): MetricsSource {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const query = searchParams.get("query") ?? "";
    if (pathname !== "/api/v1/query") return new Response("not found", { status: 404 });
    asked.push(query);
    const wanted = /version="([^"]*)"/.exec(query)?.[1];
    const result = (await scrape()).filter(({ version }) => version === wanted).map(({ node, version, value }) => ({
      metric: { node, version },
      value: [Date.now() / 1000, String(value)],
    }));
    return Response.json({ status: "success", data: { resultType: "vector", result } });
  });
  const { port } = server.addr;
  return { address: `http://127.0.0.1:${port}`, asked, close: () => server.shutdown() };
}
