/** A network namespace with one way out, to this host, and no way in: what a machine behind NAT looks like. */
export interface Namespace {
  name: string;
  /** Where the host is, seen from inside. */
  hostAddress: string;
  /** Sockets that listen inside, as `ss` prints them. */
  listening(): Promise<string[]>;
  /** Drops packets as asked; `clear` lets them through again. */
  cut(direction: "both" | "to_host" | "from_host"): Promise<void>;
  clear(): Promise<void>;
  remove(): Promise<void>;
}

let counter = 0;

/** @param hostAddress another address of this host by which it is to be reached, such as that of another namespace */
export async function createNamespace(hostAddress?: string): Promise<Namespace> {
  const number = (Deno.pid * 7 + counter++) % 4000;
  const name = `bor${number}`;
  const subnet = `10.${200 + (number >> 8)}.${number & 255}`;
  const inside = (...args: string[]) => run("ip", "netns", "exec", name, ...args);
  await run("ip", "netns", "add", name);
  await run("ip", "link", "add", `${name}h`, "type", "veth", "peer", "name", `${name}n`, "netns", name);
  await run("ip", "addr", "add", `${subnet}.1/24`, "dev", `${name}h`);
  await run("ip", "link", "set", `${name}h`, "up");
  await inside("ip", "addr", "add", `${subnet}.2/24`, "dev", `${name}n`);
  await inside("ip", "link", "set", `${name}n`, "up");
  await inside("ip", "link", "set", "lo", "up");
  if (hostAddress) await inside("ip", "route", "add", hostAddress, "via", `${subnet}.1`);
  // Nothing may be dialled from outside: only answers to what went out come in.
  await inside(
    "nft",
    "add table inet guard; add chain inet guard in { type filter hook input priority 0; policy drop; }; add rule inet guard in iif lo accept; add rule inet guard in ct state established,related accept",
  );
  await inside(
    "nft",
    "add table inet cut; add chain inet cut i { type filter hook input priority -10; }; add chain inet cut o { type filter hook output priority -10; }",
  );
  return {
    name,
    hostAddress: hostAddress ?? `${subnet}.1`,
    async listening() {
      return (await inside("ss", "-Hltn")).split("\n").map((l) => l.trim()).filter(Boolean);
    },
    async cut(direction) {
      if (direction !== "to_host") await inside("nft", "add rule inet cut i iifname != lo drop");
      if (direction !== "from_host") await inside("nft", "add rule inet cut o oifname != lo drop");
    },
    async clear() {
      await inside("nft", "flush chain inet cut i; flush chain inet cut o");
    },
    async remove() {
      await run("ip", "netns", "del", name);
    },
  };
}

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${text(stderr)}${text(stdout)}`);
  return text(stdout);
}
