/** What an IP address is for: whether a call that somebody's text asked for may go there. */
export type AddressKind = "public" | "loopback" | "private" | "link-local" | "unspecified" | "multicast" | "reserved";

/** 16 bytes; an IPv4 address in its mapped form (`::ffff:a.b.c.d`). */
export type AddressBytes = readonly number[];
export interface Network {
  bytes: AddressBytes;
  /** Counted over all 128 bits. */
  prefix: number;
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

export function parseAddress(text: string): AddressBytes | undefined {
  const bare = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const four = parseIpv4(bare);
  if (four) return [...MAPPED, ...four];
  return bare.includes(":") ? parseIpv6(bare) : undefined;
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) < 256)) return undefined;
  return parts.map(Number);
}

function parseIpv6(text: string): number[] | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const four = tail && parseIpv4(tail[2]!);
  if (tail && !four) return undefined;
  const hex = four
    ? `${tail![1]}${((four[0]! << 8) | four[1]!).toString(16)}:${((four[2]! << 8) | four[3]!).toString(16)}`
    : text;
  const halves = hex.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - groups.flat().length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = halves.length === 2 ? [...groups[0]!, ...Array(missing).fill("0"), ...groups[1]!] : groups[0]!;
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return all.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}

/** First match counts. IPv4 rows are written as such and compared in the mapped form. */
const KINDS: [string, AddressKind][] = [
  ["127.0.0.0/8", "loopback"],
  ["::1/128", "loopback"],
  ["0.0.0.0/8", "unspecified"],
  ["::/128", "unspecified"],
  ["10.0.0.0/8", "private"],
  ["172.16.0.0/12", "private"],
  ["192.168.0.0/16", "private"],
  ["100.64.0.0/10", "private"], // carrier-grade NAT, also used by overlay networks
  ["fc00::/7", "private"],
  ["169.254.0.0/16", "link-local"], // the metadata services of clouds
  ["fe80::/10", "link-local"],
  ["224.0.0.0/4", "multicast"],
  ["ff00::/8", "multicast"],
  ["192.0.0.0/24", "reserved"],
  ["192.0.2.0/24", "reserved"],
  ["198.18.0.0/15", "reserved"],
  ["198.51.100.0/24", "reserved"],
  ["203.0.113.0/24", "reserved"],
  ["240.0.0.0/4", "reserved"],
  ["100::/64", "reserved"],
  ["2001:db8::/32", "reserved"],
];
/** Prefixes that carry an IPv4 address inside (NAT64, 6to4, the old compatible form): judged by what they carry. */
const CARRIERS: [string, number][] = [["64:ff9b::/96", 12], ["2002::/16", 2], ["::/96", 12]];

export function parseNetwork(text: string): Network | undefined {
  const [address, length, ...rest] = text.trim().split("/");
  const bytes = parseAddress(address ?? "");
  if (!bytes || rest.length > 0) return undefined;
  const isFour = !address!.includes(":");
  const most = isFour ? 32 : 128;
  const prefix = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : NaN;
  return prefix <= most ? { bytes, prefix: isFour ? prefix + 96 : prefix } : undefined;
}

export function isInNetwork(address: AddressBytes, { bytes, prefix }: Network): boolean {
  for (let bit = 0; bit < prefix; bit++) {
    const mask = 0x80 >> (bit % 8);
    if ((address[bit >> 3]! & mask) !== (bytes[bit >> 3]! & mask)) return false;
  }
  return true;
}

const TABLE = KINDS.map(([network, kind]) => ({ network: parseNetwork(network)!, kind }));
const CARRIER_TABLE = CARRIERS.map(([network, offset]) => ({ network: parseNetwork(network)!, offset }));

export function classifyAddress(address: AddressBytes): AddressKind {
  const direct = TABLE.find((row) => isInNetwork(address, row.network));
  if (direct) return direct.kind;
  for (const { network, offset } of CARRIER_TABLE) {
    if (isInNetwork(address, network)) return classifyAddress([...MAPPED, ...address.slice(offset, offset + 4)]);
  }
  return "public";
}

/** `BOREAS_ALLOW_NETWORKS`: networks separated by commas or spaces. @throws Error naming the part that is none */
export function parseNetworks(text: string): Network[] {
  return text.split(/[\s,]+/).filter((part) => part !== "").map((part) => {
    const network = parseNetwork(part);
    if (!network) throw new Error(`BOREAS_ALLOW_NETWORKS holds "${part}", which is no network such as 10.0.0.0/8`);
    return network;
  });
}
