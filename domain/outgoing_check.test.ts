import { describe, expect, it } from "vitest";
import { createOutgoingCheck, hostOf } from "./outgoing_check.ts";
import { parseNetworks } from "./outgoing_address.ts";

const names: Record<string, string[]> = {
  "git.example.com": ["93.184.216.34"],
  "intranet.example.com": ["10.1.2.3"],
  "mixed.example.com": ["93.184.216.34", "169.254.169.254"],
  "gitea.example.com": ["10.9.9.9"],
};
const check = createOutgoingCheck({
  resolve: (host) => names[host] ? Promise.resolve(names[host]) : Promise.reject(new Error("no such host")),
  allow: parseNetworks("10.1.0.0/16"),
  isRegistered: (host) => Promise.resolve(host === "gitea.example.com"),
});

describe("a call goes", () => {
  it.each([
    "https://git.example.com/x",
    "git@git.example.com:x.git",
    "ssh://git@git.example.com:2222/x",
    "https://intranet.example.com/allowed-by-network",
    "https://gitea.example.com/registered",
    "/srv/git/x",
    "file:///srv/git/x",
  ])("to %s", async (url) => void await check(url));

  it.each([
    "http://127.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://localhost:8080/",
    "http://x.localhost/",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/",
    "git@10.0.0.1:x",
    "ssh://git@127.0.0.1/x",
    "https://u:p@127.0.0.1/x",
    "https://mixed.example.com/",
    "https://nowhere.example.com/",
    "https://127.0.0.1\\@example.com/",
  ])("not to %s", (url) => expect(check(url)).rejects.toMatchObject({ kind: "invalid" }));

  it("into a private network when it is a repository that an admin registers, never to this machine", async () => {
    await check("https://192.168.1.5/team/x.git", "repository");
    await expect(check("https://192.168.1.5/artifact")).rejects.toThrow("BOREAS_ALLOW_NETWORKS");
    await expect(check("https://127.0.0.1/x.git", "repository")).rejects.toThrow("this machine itself");
    await expect(check("https://169.254.169.254/x.git", "repository")).rejects.toThrow("metadata");
  });
});

it("finds the host of every form", () => {
  expect(hostOf("https://u@Host.example.com:8443/x")).toBe("host.example.com");
  expect(hostOf("https://[::1]:5000/x")).toBe("[::1]");
  expect(hostOf("host:path")).toBe("host");
  expect(hostOf("/a/b")).toBeUndefined();
});
