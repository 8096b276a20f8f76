import { describe, expect, it } from "vitest";
import { classifyAddress, isInNetwork, parseAddress, parseNetworks } from "./outgoing_address.ts";

const kind = (text: string) => classifyAddress(parseAddress(text)!);

describe("an address", () => {
  it.each([
    ["93.184.216.34", "public"],
    ["2606:4700::1111", "public"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["::1", "loopback"],
    ["[::1]", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:7f00:1", "loopback"],
    ["::127.0.0.1", "loopback"],
    ["64:ff9b::7f00:1", "loopback"],
    ["2002:7f00:1::", "loopback"],
    ["0.0.0.0", "unspecified"],
    ["::", "unspecified"],
    ["10.1.2.3", "private"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["172.32.0.1", "public"],
    ["192.168.1.1", "private"],
    ["100.64.0.1", "private"],
    ["fd00::1", "private"],
    ["169.254.169.254", "link-local"],
    ["fe80::1%eth0", "link-local"],
    ["224.0.0.1", "multicast"],
    ["255.255.255.255", "reserved"],
    ["203.0.113.7", "reserved"],
  ])("%s is %s", (text, expected) => expect(kind(text)).toBe(expected));

  it.each([
    "",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "2130706433",
    "0x7f.1",
    ":::",
    "1::2::3",
    "g::1",
  ])(
    "%s is none",
    (text) => expect(parseAddress(text)).toBeUndefined(),
  );
});

describe("networks that are allowed", () => {
  it("are read from a list and matched bit by bit", () => {
    const [ten, odd, six] = parseNetworks("10.0.0.0/8, 192.168.4.0/22 fd00::/8");
    expect(isInNetwork(parseAddress("10.9.8.7")!, ten!)).toBe(true);
    expect(isInNetwork(parseAddress("11.0.0.1")!, ten!)).toBe(false);
    expect(isInNetwork(parseAddress("192.168.7.255")!, odd!)).toBe(true);
    expect(isInNetwork(parseAddress("192.168.8.0")!, odd!)).toBe(false);
    expect(isInNetwork(parseAddress("fd12::1")!, six!)).toBe(true);
    expect(parseNetworks("")).toEqual([]);
  });
  it("say which part is none", () => {
    expect(() => parseNetworks("10.0.0.0/33")).toThrow('holds "10.0.0.0/33"');
    expect(() => parseNetworks("10.0.0.0/8,intranet")).toThrow('holds "intranet"');
  });
});
