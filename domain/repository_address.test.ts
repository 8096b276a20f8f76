import { describe, expect, it } from "vitest";
import { parseRepositoryAddress, repositoryKey } from "./repository_address.ts";

const parse = (text: string, allowFile = false) => parseRepositoryAddress(text, { allowFile });

describe("an address of a repository", () => {
  it.each([
    "https://github.com/a/b.git",
    "ssh://git@host:2222/a/b",
    "git@host.example.com:a/b.git",
    "https://[2606:4700::1]/a",
  ])(
    "%s is accepted",
    (text) => expect(parse(text)).toHaveProperty("address"),
  );
  it.each([
    "--upload-pack=touch /tmp/x",
    "-oProxyCommand=x:y",
    "ext::sh -c 'touch /tmp/x'",
    "ext::sh",
    "fd::7",
    "fd::7/x",
    "git://host/a",
    "http://host/a",
    "ftp://host/a",
    "file:///etc",
    "/etc",
    "../etc",
    "https:///host",
    "https://",
    "https://host",
    "https://user:secret@host/a",
    "https://token@host/a",
    "ssh://user:secret@host/a",
    "ssh://-oProxyCommand=x/a",
    "ssh://-x@host/a",
    "-x@host:a",
    "git@-host:a",
    "git@host:-a",
    "https://host/a?x=1",
    "https://host/a b",
    "https://host/a\nb",
    "transport::https://host/a",
  ])("%j is refused", (text) => expect(parse(text)).toHaveProperty("problem"));

  it("may be a folder only where that is allowed, absolute and without ..", () => {
    expect(parse("/srv/git/shop.git", true)).toEqual({
      address: { kind: "file", host: "", path: "/srv/git/shop.git" },
    });
    expect(parse("file:///srv/git/shop.git", true)).toHaveProperty("address.path", "/srv/git/shop.git");
    expect(parse("file:///srv/../etc", true)).toHaveProperty("problem");
    expect(parse("/srv/git")).toHaveProperty("problem", expect.stringContaining("BOREAS_ALLOW_FILE_REPOSITORIES"));
  });
});

describe("two addresses", () => {
  it("mean one repository however it is reached", () => {
    const key = repositoryKey("https://git.example.com/Trade/shop.git");
    for (
      const other of [
        "git@git.example.com:trade/shop.git",
        "ssh://git@git.example.com:2222/trade/shop.git",
        "https://git.example.com/trade/shop/",
        "http://git.example.com/trade/shop",
        "https://user@git.example.com/trade/shop.git",
      ]
    ) expect(repositoryKey(other)).toBe(key);
  });
  it("differ by host or path", () => {
    expect(repositoryKey("https://a.example.com/x")).not.toBe(repositoryKey("https://b.example.com/x"));
    expect(repositoryKey("https://a.example.com/x")).not.toBe(repositoryKey("https://a.example.com/y"));
    expect(repositoryKey("not an address")).toBeUndefined();
  });
});
