/** One look at a port of this machine, as a health check has it. No proxy, no redirects, no connection kept. */
import { request } from "node:http";
import { connect } from "node:net";

export function probeHttp(
  port: number,
  path: string,
  timeoutMs: number,
): Promise<{ status: number } | { error: string }> {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, path, agent: false, headers: { "user-agent": "boreas-health" } });
    // From the first moment to the last byte of the head; a socket's own timeout counts idle time only.
    const timer = setTimeout(() => {
      resolve({ error: `no answer within ${timeoutMs} ms` });
      call.destroy();
    }, timeoutMs);
    call.on("response", (response) => {
      clearTimeout(timer);
      resolve({ status: response.statusCode! });
      response.on("error", () => {}); // the answer stands; what follows it does not matter
      response.destroy();
    });
    call.on("error", (error) => {
      clearTimeout(timer);
      resolve({ error: error.message });
    });
    call.end();
  });
}

export function probeTcp(port: number, timeoutMs: number): Promise<{ ok: true } | { error: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const end = (answer: { ok: true } | { error: string }) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end({ error: `no connection within ${timeoutMs} ms` }), timeoutMs);
    socket.on("connect", () => end({ ok: true }));
    socket.on("error", (error) => end({ error: error.message }));
  });
}
