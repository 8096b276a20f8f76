/** A plain byte stream to the master: directly, or through a proxy's CONNECT; encrypted when the address says https. */
import net from "node:net";
import tls from "node:tls";

export interface MasterAddress {
  /** `https://boreas.example.com`, without a trailing slash. */
  url: URL;
  /** PEM of the only root that is trusted for it; undefined means the system's roots. */
  ca: string | undefined;
  /** `http://[user:password@]host:port` that leads there, if one does. */
  proxy: URL | undefined;
}

const CONNECT_MS = 10_000;

/** The bytes' way there alone: whoever speaks on it brings the encryption. */
export async function openRawSocket({ url, proxy }: MasterAddress): Promise<net.Socket> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  return proxy ? await openTunnel(proxy, host, port) : await connected(net.connect({ host, port }), "connect");
}

export async function openMasterSocket(address: MasterAddress, verify = true): Promise<net.Socket> {
  const { url, ca } = address;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const raw = await openRawSocket(address);
  if (url.protocol !== "https:") return raw;
  const secure = tls.connect({
    socket: raw,
    servername: net.isIP(host) ? undefined : host,
    // With an address for a name, the certificate is compared with it all the same.
    host,
    ca: ca ? [ca] : undefined,
    rejectUnauthorized: verify,
    ALPNProtocols: ["http/1.1"],
  });
  secure.once("close", () => raw.destroy()); // the stream below does not end by itself
  return await connected(secure, "secureConnect");
}

function connected<T extends net.Socket>(socket: T, event: "connect" | "secureConnect"): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error(`no answer within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.once("error", fail);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off("error", fail);
      socket.on("error", () => {}); // whoever uses the socket sees its end
      resolve(socket);
    });
  });
}

/** `CONNECT host:port`: the proxy sees where to, never what. */
async function openTunnel(proxy: URL, host: string, port: number): Promise<net.Socket> {
  const proxyHost = proxy.hostname.replace(/^\[|\]$/g, "");
  const proxyPort = Number(proxy.port || (proxy.protocol === "https:" ? 443 : 80));
  const socket = proxy.protocol === "https:"
    ? await connected(tls.connect({ host: proxyHost, port: proxyPort, servername: proxyHost }), "secureConnect")
    : await connected(net.connect({ host: proxyHost, port: proxyPort }), "connect");
  const target = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const login = proxy.username
    ? `Proxy-Authorization: Basic ${
      btoa(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`)
    }\r\n`
    : "";
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login}\r\n`);
  const head = await readHead(socket);
  const status = Number(head.match(/^HTTP\/1\.[01] (\d{3})/)?.[1]);
  if (status !== 200) {
    socket.destroy();
    throw new Error(`the proxy ${proxy.host} answered ${head.split("\r\n")[0]}`);
  }
  return socket;
}

function readHead(socket: net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let head = "";
    const timer = setTimeout(() => done(new Error("the proxy gave no answer")), CONNECT_MS);
    const done = (error?: Error) => {
      clearTimeout(timer);
      socket.off("data", take);
      socket.off("close", closed);
      socket.pause();
      if (error) socket.destroy();
      error ? reject(error) : resolve(head);
    };
    const closed = () => done(new Error("the proxy closed the connection"));
    const take = (bytes: Uint8Array) => {
      head += new TextDecoder("latin1").decode(bytes);
      if (head.includes("\r\n\r\n")) done();
      else if (head.length > 16_384) done(new Error("the proxy's answer is too long"));
    };
    socket.on("data", take);
    socket.once("close", closed);
  });
}
