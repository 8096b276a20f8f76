/**
 * What a Prometheus would say of the story's machines: it answers instant queries as its HTTP API does, with a sample for
 * each machine that runs the version which is asked for. What a machine runs, it reads from the machine's own files.
 */
export interface MetricsSource {
  address: string;
  /** The queries it was asked, in order. */
  asked: string[];
  /** Share of requests that fail, by what the program says it is. */
  errors: Map<string, number>;
  close(): Promise<void>;
}

/** @param running machine -> what its program says it is */
export function startMetricsSource(running: () => Promise<Map<string, string>>): MetricsSource {
  const asked: string[] = [];
  const errors = new Map<string, number>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const query = searchParams.get("query") ?? "";
    if (pathname !== "/api/v1/query") return new Response("not found", { status: 404 });
    asked.push(query);
    const wanted = /release="([^"]*)"/.exec(query)?.[1];
    const result = [...await running()].filter(([, release]) => release === wanted).map(([node, release]) => ({
      metric: { node, release },
      value: [Date.now() / 1000, String(errors.get(release) ?? 0)],
    }));
    return Response.json({ status: "success", data: { resultType: "vector", result } });
  });
  const { port } = server.addr;
  return { address: `http://127.0.0.1:${port}`, asked, errors, close: () => server.shutdown() };
}
