import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createVersion } from "../db/versions/create_version.ts";
import { settleBuilds } from "../db/deployments/settle_builds.ts";
import { listVersions } from "../db/versions/read_versions.ts";
import { parseNetworks } from "../domain/outgoing_address.ts";
import { createOutgoingCheck } from "../domain/outgoing_check.ts";
import { createClock } from "../host/clock.ts";
import type { AppBuild, Version } from "../protocol/http_api.ts";
import { startRegistry } from "../tests/helpers/docker_registry.ts";
import type { TestRegistry } from "../tests/helpers/docker_registry.ts";
import { component } from "../tests/helpers/require_component.ts";
import { createGitRemote } from "../tests/helpers/git_remote.ts";
import { createGitopsWorld, until } from "../tests/helpers/gitops_world.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { createBuildLoop } from "./build_loop.ts";
import { callOut } from "./gitops/outgoing_http.ts";
import { findDigest } from "./gitops/registry.ts";
import { parseImageRef, registrySecret } from "../domain/image_ref.ts";

const registryPart = component("registry");
let db: TestDatabase;
let registry: TestRegistry | undefined;
/** Serves artifacts: path -> content; a path that is absent is a 404. */
const artifacts = new Map<string, string>();
let store: Deno.HttpServer<Deno.NetAddr>;
let token: { scope: string | null } | undefined;
beforeAll(async () => {
  db = await createTestDatabase();
  if (registryPart.available) registry = await startRegistry();
  store = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/away") return Response.redirect("http://169.254.169.254/latest");
    if (pathname === "/token") {
      token = { scope: searchParams.get("scope") };
      return Response.json({ token: "T0KEN" });
    }
    if (pathname.startsWith("/v2/")) {
      if (request.headers.get("authorization") === "Bearer T0KEN") {
        return new Response(null, { headers: { "docker-content-digest": `sha256:${"b".repeat(64)}` } });
      }
      const realm =
        `Bearer realm="http://127.0.0.1:${store.addr.port}/token",service="s",scope="repository:team/app:pull"`;
      return new Response(null, { status: 401, headers: { "www-authenticate": realm } });
    }
    const content = artifacts.get(pathname);
    return content === undefined ? new Response("no", { status: 404 }) : new Response(content);
  });
});
afterAll(async () => {
  await registry?.stop();
  await store.shutdown();
});

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const local = createOutgoingCheck({ resolve: (host) => Promise.resolve([host]), allow: parseNetworks("127.0.0.0/8") });

/** An application with these artifacts, pushed; with a loop that looks when it is told to. */
async function pushed(declared: string, rest = "", files: Record<string, string> = {}) {
  const w = await createGitopsWorld(db, { fetch, checkOutgoing: local, buildCheckSeconds: 3600 });
  const remote = await createGitRemote();
  const repositoryId = await w.repository(remote);
  await w.environment("staging");
  const name = `app${crypto.randomUUID().slice(0, 8)}`;
  const config =
    `apiVersion: boreas/v1\nkind: Application\nname: ${name}\nenvironments: { staging: {} }\n${rest}\nartifacts:\n  ${declared}\n`;
  const commit = await remote.push({ "boreas.yaml": config, ...files });
  await w.deliver(repositoryId, commit);
  const loop = createBuildLoop(w.deps);
  onTestFinished(() => loop.stop());
  const version = async (): Promise<Version> => (await listVersions(db, w.projectId, { limit: 9 })).at(-1)!;
  const tag = (await version()).version;
  /** Looks once, and waits until that look is over. */
  const look = async () => {
    await db
      .sql`update version set builds_check_at = boreas_now() where project_id = ${w.projectId} and builds = 'waiting'`;
    loop.start();
    await loop.stop();
    return await version();
  };
  const pins = async () => (await w.apps(tag))[name]!.artifacts;
  return { ...w, remote, repositoryId, name, commit, tag, look, pins, version };
}
const deploymentOf = async (projectId: string) =>
  (await db.sql`select status, reason, auto_start from deployment where project_id = ${projectId} order by id`)[0]!;

describe.skipIf(!registryPart.available)(`an image that is built after the push${registryPart.reason}`, () => {
  it("keeps its version waiting, says so with what and until when, and is pinned by digest when it comes", async () => {
    const w = await pushed(`image: { ref: ${registry!.host}/order, tag: "\${version}", wait: 15m }`);
    expect((await w.version()).buildsReason.text).toMatch(
      new RegExp(
        `^Waiting for ${registry!.host}/order:${w.tag} in the registry, not looked for yet, gives up at .* UTC\\.$`,
      ),
    );
    expect(await deploymentOf(w.projectId)).toMatchObject({
      status: "pending",
      reason: { code: "deployment.waiting_for_builds" },
    });

    const waiting = await w.look();
    expect(waiting.builds).toBe("waiting");
    expect(waiting.buildsReason.text).toMatch(/in the registry, checked \d s ago, gives up at /);
    expect((await deploymentOf(w.projectId)).reason.text).toMatch(/checked \d s ago/);

    const digest = await registry!.push("order", w.tag);
    const ready = await w.look();
    expect(ready).toMatchObject({ builds: "ready", buildsReason: { code: "version.builds_ready" } });
    expect(await w.pins()).toEqual({ image: { kind: "image", ref: `${registry!.host}/order`, digest } });
    expect((await deploymentOf(w.projectId)).reason.code).toBe("deployment.builds_ready");

    // The tag moves; what was pinned does not.
    expect(await registry!.push("order", w.tag, "other")).not.toBe(digest);
    await w.look();
    expect((await w.pins()).image).toMatchObject({ digest });
  });

  it("lets a deployment that was to start by itself start when it comes", async () => {
    const plan =
      "---\napiVersion: boreas/v1\nkind: Plan\ntriggers: [{ on: push, environment: staging, start: auto }]\n";
    const w = await createGitopsWorld(db, { fetch, checkOutgoing: local });
    const remote = await createGitRemote();
    const id = await w.repository(remote);
    await w.environment("staging");
    const app = `apiVersion: boreas/v1\nkind: Application\nname: auto-${
      w.projectId.slice(-8)
    }\nartifacts: { image: { ref: ${registry!.host}/auto } }\n`;
    const commit = await remote.push({ "boreas.yaml": app + plan });
    await w.deliver(id, commit);
    expect(await deploymentOf(w.projectId)).toMatchObject({ status: "pending", autoStart: true });
    await registry!.push("auto", `main-${commit.slice(0, 12)}`);
    const loop = createBuildLoop(w.deps);
    loop.start();
    onTestFinished(() => loop.stop());
    await until(w.deps.hints, async () => (await deploymentOf(w.projectId)).status === "running");
  });
});

describe("an artifact at an address", () => {
  const base = () => `http://127.0.0.1:${store.addr.port}`;
  it("is waited for until it and its digest are there, per platform", async () => {
    const w = await pushed(
      `bin: { url: "${base()}/a-\${commit}-\${os}-\${arch}.tgz", sha256Url: "${base()}/a-\${commit}.sums" }`,
    );
    const file = `a-${w.commit}-linux-amd64.tgz`;
    artifacts.set(`/${file}`, "bytes");
    expect((await w.look()).builds).toBe("waiting");
    artifacts.set(`/a-${w.commit}.sums`, "not a list");
    expect((await w.look()).buildsReason.text).toContain("lists no SHA-256 of");
    const listed = [[sha256("bytes"), "amd64"], ["0".repeat(64), "arm64"]];
    artifacts.set(
      `/a-${w.commit}.sums`,
      listed.map(([sum, arch]) => `${sum}  a-${w.commit}-linux-${arch}.tgz\n`).join(""),
    );
    expect((await w.look()).builds).toBe("ready");
    // The other one is listed and not there.
    expect(await w.pins()).toEqual({
      bin: {
        kind: "url",
        url: `${base()}/a-${w.commit}-\${os}-\${arch}.tgz`,
        sha256: { "linux-amd64": sha256("bytes") },
      },
    });
  });

  it("without a digest anywhere is fetched once and hashed", async () => {
    const w = await pushed(`bin: { url: "${base()}/plain-\${commit}", wait: 5m }`);
    artifacts.set(`/plain-${w.commit}`, "content");
    expect((await w.look()).builds).toBe("ready");
    expect((await w.pins()).bin).toMatchObject({ sha256: sha256("content") });
  });

  it("that redirects into the cloud's metadata is not followed, and the reason says where it led", async () => {
    const w = await pushed(`bin: { url: "${base()}/away" }`);
    expect((await w.look()).buildsReason.text).toContain("169.254.169.254 is a link-local address");
  });

  it("is asked for over http alone, at the host that was checked", async () => {
    const asked: string[] = [];
    const checkOutgoing = createOutgoingCheck({ resolve: () => Promise.resolve(["93.184.216.34"]), allow: [] });
    const deps = {
      checkOutgoing,
      clock: createClock(),
      fetch: ((url: string) => (asked.push(url), Promise.resolve(new Response("{}")))) as unknown as typeof fetch,
    };
    const call = (url: string) => callOut(deps, url, {}, (response) => response.text());
    await expect(call("https://127.0.0.1\\@example.com/x")).rejects.toThrow("this machine itself");
    await expect(call("file:///etc/hostname")).rejects.toThrow("not http");
    expect(await call("https://example.com/x")).toBe("{}");
    expect(asked).toEqual(["https://example.com/x"]);
  });

  it("that does not come in time fails the version and its deployments with that sentence", async () => {
    const w = await pushed(`bin: { url: "${base()}/never", wait: 1s }`);
    await db.sql`update version_app set wait_until = boreas_now() where project_id = ${w.projectId}`;
    const failed = await w.look();
    expect(failed.builds).toBe("failed");
    expect(failed.buildsReason.text).toContain("/never did not come in time");
    expect(await deploymentOf(w.projectId)).toMatchObject({
      status: "failed",
      reason: { text: expect.stringContaining("did not come in time") },
    });
  });

  it("that CI names is pinned by its word, and a deployment that waited goes on", async () => {
    const w = await pushed(`bin: { url: "${base()}/ci-\${os}-\${arch}" }`);
    const build = { artifact: { url: `${base()}/built`, sha256: "c".repeat(64) }, changed: true } as AppBuild;
    const post = {
      version: w.tag,
      gitTag: null,
      gitCommit: w.commit.slice(0, 10),
      repository: w.remote.url,
      description: "",
      appBuilds: { [w.name]: build },
    };
    const { id, created } = await createVersion(w.deps, post, w.actor);
    await settleBuilds(w.deps, id);
    expect([created, (await w.version()).builds]).toEqual([false, "ready"]);
    expect(await w.pins()).toEqual({ bin: { kind: "url", url: `${base()}/built`, sha256: "c".repeat(64) } });
    expect((await deploymentOf(w.projectId)).reason.code).toBe("deployment.builds_ready");
  });

  it("of an application that did not change is that of the version before, also while that one waits", async () => {
    const w = await pushed(`bin: { url: "${base()}/late-\${version}" }`, "source: { paths: [src/**] }", {
      "src/a": "1",
    });
    const second = await w.remote.push({ "README.md": "x" });
    await w.deliver(w.repositoryId, second);
    const builds = async () => (await listVersions(db, w.projectId, { limit: 9 })).map((v) => v.builds);
    await w.look();
    expect(await builds()).toEqual(["waiting", "waiting"]);
    artifacts.set(`/late-${w.tag}`, "late");
    await w.look();
    await w.look();
    expect(await builds()).toEqual(["ready", "ready"]);
    expect((await w.apps(`main-${second.slice(0, 12)}`))[w.name]).toMatchObject({
      changed: false,
      artifacts: await w.pins(),
    });
  });
});

const HTPASSWD = "deployer:$2y$05$abcdefghijklmnopqrstuuBO.kmgTJhdt40M5ZyHgFmcpBdUb9aS.";

describe("a registry", () => {
  const docker = component("registry");
  it.skipIf(!docker.available)(
    `that wants a login is told the one in its own secret, and no other${docker.reason}`,
    async () => {
      const deps = {
        fetch,
        checkOutgoing: local,
        clock: (await createGitopsWorld(db, {}, { loop: false })).deps.clock,
      };
      const open = await startRegistry();
      const guarded = await startRegistry({ login: HTPASSWD, of: open });
      onTestFinished(async () => {
        await guarded.stop();
        await open.stop();
      });
      const digest = await open.push("team/app", "v1");
      const asked: string[] = [];
      const find = (login?: string) =>
        findDigest(deps, `${guarded.host}/team/app`, "v1", async (name) => {
          asked.push(name);
          return login;
        });
      expect(await find("deployer:right-password")).toBe(digest);
      const name = `REGISTRY_AUTH_${guarded.host.replaceAll(".", "_").replace(":", "___")}`;
      expect(asked).toEqual([name]);
      await expect(find()).rejects.toThrow(`set the secret ${name} to user:password`);
      await expect(find("deployer:wrong-password")).rejects.toThrow(`does not take the login in the secret ${name}`);
      await expect(find("nonsense")).rejects.toThrow("is not of the form user:password");
    },
  );

  it("has a secret of its own, whatever others are called", () => {
    const hosts = [
      "reg.example.com",
      "reg-example.com",
      "reg--example.com",
      "reg.example.com:5000",
      "reg.example-5000.com",
    ];
    const names = hosts.map((host) => registrySecret(parseImageRef(`${host}/a`)!));
    expect(names[0]).toBe("REGISTRY_AUTH_REG_EXAMPLE_COM");
    expect(new Set(names).size).toBe(hosts.length);
    expect(registrySecret(parseImageRef("nginx")!)).toBe("REGISTRY_AUTH_DOCKER_IO");
  });

  it("is named by the first part of an image, or is Docker Hub", () => {
    expect(parseImageRef("reg.example.com/a/b")).toEqual({ registry: "reg.example.com", repository: "a/b" });
    expect(parseImageRef("localhost:5000/a")).toEqual({ registry: "localhost:5000", repository: "a" });
    expect(parseImageRef("nginx")).toEqual({ registry: "registry-1.docker.io", repository: "library/nginx" });
    expect(parseImageRef("team/app")).toEqual({ registry: "registry-1.docker.io", repository: "team/app" });
    for (const bad of ["", "-x", "a//b", "a b", "--output=x", "a/../b?x", "reg-.com/a", "reg_.com/a"]) {
      expect(parseImageRef(bad)).toBeUndefined();
    }
  });

  it("that wants a token gets one for what it asks, and answers then", async () => {
    const deps = { fetch, checkOutgoing: local, clock: (await createGitopsWorld(db, {}, { loop: false })).deps.clock };
    const digest = await findDigest(deps, `127.0.0.1:${store.addr.port}/team/app`, "v1");
    expect([digest, token]).toEqual([`sha256:${"b".repeat(64)}`, { scope: "repository:team/app:pull" }]);
    await expect(findDigest(deps, "127.0.0.1:1/x", "v1")).rejects.toThrow("it cannot be reached");
    await expect(findDigest(deps, "10.0.0.1/x", "v1")).rejects.toThrow("a private network");
  });
});
