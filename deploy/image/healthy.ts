/** Exits 0 when the master of this container is ready. */
import http from "node:http";
import https from "node:https";

const address = `127.0.0.1:${Deno.env.get("BOREAS_PORT") || 8080}/v1/ready`;

function answers(get: typeof http.get, url: string, options: https.RequestOptions): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { ...options, timeout: 4_000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on("timeout", function (this: http.ClientRequest) {
      this.destroy();
    }).on("error", () => resolve(false)); // the other kind of listener, or none: unhealthy either way if both say so
  });
}

// The container's own loopback: whoever answers there is this container, whatever its certificate is called.
const ready = await answers(http.get, `http://${address}`, {}) ||
  await answers(https.get, `https://${address}`, { rejectUnauthorized: false });
Deno.exit(ready ? 0 : 1);
