/** What a proxy takes out of a message's head and puts in. Pure. */

/** They speak of one connection, and ours has two. */
const OF_A_CONNECTION = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
];

/** Without them it would be another message: nobody has them dropped by naming them in `Connection`. */
const OF_A_MESSAGE = ["host", "content-length"];

/** Names and values in turn, as they came. */
export type RawHeaders = readonly string[];
export type Headers = Record<string, string | string[]>;

/** Without what speaks of the connection; a name that came twice has both values. */
export function passedOn(raw: RawHeaders): Headers {
  const named = valuesOf(raw, "connection").flatMap((value) => value.split(",")).map((name) =>
    name.trim().toLowerCase()
  );
  const dropped = new Set([...OF_A_CONNECTION, ...named.filter((name) => !OF_A_MESSAGE.includes(name))]);
  const headers = new Map<string, { name: string; values: string[] }>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const key = raw[at]!.toLowerCase();
    if (dropped.has(key)) continue;
    const entry = headers.get(key);
    if (entry) entry.values.push(raw[at + 1]!);
    else headers.set(key, { name: raw[at]!, values: [raw[at + 1]!] });
  }
  return Object.fromEntries(
    [...headers.values()].map(({ name, values }) => [name, values.length === 1 ? values[0]! : values]),
  );
}

export function valuesOf(raw: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) if (raw[at]!.toLowerCase() === name) values.push(raw[at + 1]!);
  return values;
}

export interface Client {
  address: string;
  /** The `Host` header as it came. */
  host: string | undefined;
}

/**
 * Who asked, and how, for the application. A load balancer before us has said it already: its word on protocol and host
 * stands, and the address it came from joins the list.
 */
export function withForwarded(headers: Headers, client: Client): Headers {
  const forwarded: Headers = {};
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    if (key.startsWith("x-forwarded-")) forwarded[key] = value;
  }
  const others = Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^x-forwarded-(for|proto|host)$/i.test(name)),
  );
  const address = client.address.replace(/^::ffff:/, "");
  return {
    ...others,
    "X-Forwarded-For": [forwarded["x-forwarded-for"] ?? [], address].flat().join(", "),
    "X-Forwarded-Proto": forwarded["x-forwarded-proto"] ?? "http",
    ...(forwarded["x-forwarded-host"] ?? client.host
      ? { "X-Forwarded-Host": forwarded["x-forwarded-host"] ?? client.host! }
      : {}),
  };
}
