import { describe, expect, it } from "vitest";
import { allArtifacts, sortArtifacts } from "./artifacts.ts";
import type { ArtifactContext } from "./artifacts.ts";
import type { Artifact } from "./application.ts";

const SHA = "a".repeat(64);
const sort = (artifacts: Record<string, Artifact>, build?: ArtifactContext["build"]) =>
  sortArtifacts({ artifacts }, { application: "order", version: "v1", commit: "c0ffee", build });

describe("an image", () => {
  it("with a tag is waited for, placeholders filled in", () => {
    expect(sort({ image: { ref: "reg.example.com/order", tag: "${version}-${commit}", wait: "15m" } }).late).toEqual([{
      name: "image",
      kind: "image",
      ref: "reg.example.com/order",
      tag: "v1-c0ffee",
      what: "reg.example.com/order:v1-c0ffee in the registry",
      waitSeconds: 900,
    }]);
  });
  it("with a digest is pinned, wherever the digest stands", () => {
    for (const image of [{ ref: "r/o", digest: `sha256:${SHA}` }, { ref: `r/o@sha256:${SHA}` }]) {
      expect(sort({ image }).pinned).toEqual({ image: { kind: "image", ref: "r/o", digest: `sha256:${SHA}` } });
    }
  });
  it("that CI names by digest is pinned, by tag is waited for", () => {
    const declared = { img: { ref: "r/o", tag: "${version}", wait: "1m" } };
    expect(sort(declared, { image: `r/o@sha256:${SHA}` }).pinned.img).toMatchObject({ digest: `sha256:${SHA}` });
    expect(sort(declared, { image: "localhost:5000/o:x" }).late).toMatchObject([
      { name: "img", ref: "localhost:5000/o", tag: "x", waitSeconds: 60 },
    ]);
    expect(sort({}, { image: `r/o@sha256:${SHA}` }).pinned.image).toBeDefined();
  });
});

it("what CI names and nothing runs is not waited for", () => {
  expect(sort({}, { image: "r/o:1.2", artifact: "https://ci.example.com/x" })).toEqual({
    pinned: {},
    late: [],
    local: [],
  });
  const docker = allArtifacts({ runtime: { docker: { image: "image" } } });
  const context = { application: "order", version: "v1", commit: null, build: { image: "r/o:1.2" } };
  expect(sortArtifacts(docker, context).late).toMatchObject([{ name: "image", tag: "1.2" }]);
});

describe("an artifact at an address", () => {
  const url = "https://art.example.com/order-${version}-${os}-${arch}.tgz";
  it("with its digest is pinned; os and arch are left for the agent", () => {
    expect(sort({ bin: { url, sha256: { "linux-amd64": SHA } } }).pinned.bin).toEqual({
      kind: "url",
      url: "https://art.example.com/order-v1-${os}-${arch}.tgz",
      sha256: { "linux-amd64": SHA },
    });
  });
  it("with a wait, or without a digest, is waited for", () => {
    expect(sort({ bin: { url, sha256: SHA, wait: "5m" } }).late[0]).toMatchObject({ sha256: SHA, waitSeconds: 300 });
    expect(sort({ bin: { url, sha256Url: `${url}.sha256` } }).late[0]).toMatchObject({
      sha256Url: "https://art.example.com/order-v1-${os}-${arch}.tgz.sha256",
    });
  });
  it("that CI names is the one that is declared", () => {
    const built = { url: "https://ci.example.com/x.tgz", sha256: SHA };
    expect(sort({ bin: { url } }, { artifact: built })).toMatchObject({ pinned: { bin: { ...built } }, late: [] });
    const ran = { used: ["bin"] };
    const context = {
      application: "order",
      version: "v1",
      commit: null,
      build: { artifact: "https://ci.example.com/x" },
    };
    expect(sortArtifacts(ran, context).late).toMatchObject([{ name: "bin" }]);
  });
  it("that CI names without saying which of two is refused", () => {
    const two = { a: { url }, b: { url } };
    expect(() => sort(two, { artifact: "https://ci.example.com/x" })).toThrow("artifacts a and b");
    expect(() => sort({}, { artifact: { url: "https://x/y", sha256: "zz" } })).toThrow("64 hexadecimal digits");
    expect(() => sort({}, { artifact: "file:///etc/passwd" })).toThrow("http or https");
  });
});

it("repository files are listed for freezing", () => {
  expect(sort({ local: { path: "dist/order" } }).local).toEqual([{ name: "local", path: "dist/order" }]);
});

it("overlays may add artifacts and not change what a name means", () => {
  const document = {
    artifacts: { a: { path: "a" } },
    environments: { prod: { artifacts: { a: { path: "other" }, b: { path: "b" } } }, test: {} },
  };
  expect(allArtifacts(document)).toEqual({
    artifacts: { a: { path: "a" }, b: { path: "b" } },
    used: [],
    conflicts: [{ environment: "prod", name: "a" }],
  });
});
