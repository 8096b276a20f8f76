import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApiClient } from "../../cli/api_client.ts";
import { readEventStream } from "../../cli/event_stream.ts";
import { runCli } from "../../cli/run_cli.ts";
import { createCliHost } from "../../compose/cli.ts";
import { deployment, type FakeApi, list, problem, startFakeApi, stream, uuid, version } from "./fake_api.ts";
import { createTestHost, runAgainst } from "./test_host.ts";

let api: FakeApi;
beforeEach(() => void (api = startFakeApi()));
afterEach(() => api.stop());

const user = { id: uuid(7), username: "ada", role: "deployer", createdAt: "2026-01-01T00:00:00Z" };
const session = (n: number) => ({ accessToken: `access-${n}`, refreshToken: `refresh-${n}`, expiresIn: 900, user });

describe("signing in", () => {
  it("keeps the session of a password that was typed, and tells who it is", async () => {
    api.on("POST /auth/login", () => session(1)).on("GET /auth/me", () => user);
    const host = createTestHost({ answers: ["a good password"] });
    expect(await runCli(["login", api.url, "-u", "ada"], host)).toBe(0);
    expect(host.out()).toBe(`Signed in to ${api.url} as ada (deployer).\n`);
    expect(api.calls[0]!.body).toEqual({ username: "ada", password: "a good password" });
    expect(JSON.parse(host.files.get(host.configPath)!)).toEqual({
      url: api.url,
      token: "access-1",
      refreshToken: "refresh-1",
    });
  });

  it("reads a password from standard input without its line end", async () => {
    api.on("POST /auth/login", () => session(1)).on("GET /auth/me", () => user);
    const host = createTestHost({ input: " spaced \n" });
    expect(await runCli(["login", api.url, "--password-stdin"], host)).toBe(0);
    expect(api.calls[0]!.body).toEqual({ username: "admin", password: " spaced " });
  });

  it("keeps nothing when the server refuses, and says the server's sentence", async () => {
    api.on("POST /auth/login", () => problem(401, "auth.wrong", "The name or the password is wrong."));
    const host = createTestHost({ input: "x" });
    expect(await runCli(["login", api.url, "--password-stdin"], host)).toBe(1);
    expect(host.err()).toBe("The name or the password is wrong.\n");
    expect(host.files.size).toBe(0);
  });

  it("asks nobody when there is no terminal", async () => {
    const host = createTestHost();
    expect(await runCli(["login", api.url], host)).toBe(2);
    expect(host.err()).toContain("--password-stdin");
  });

  it("never sends a kept token to another server", async () => {
    const host = createTestHost({ env: { BOREAS_URL: api.url } });
    host.files.set(host.configPath, JSON.stringify({ url: "https://elsewhere.example.com", token: "secret" }));
    expect(await runCli(["status"], host)).toBe(1);
    expect(host.err()).toBe(`Not signed in to ${api.url}. Run \`boreas login ${api.url}\`, or set BOREAS_TOKEN.\n`);
    expect(api.calls).toEqual([]);
  });

  it("keeps its file readable by its owner alone", async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/deep/sign-in.json`;
    const host = createCliHost();
    await host.writePrivateFile(path, "first");
    await host.writePrivateFile(path, "second");
    expect(await host.readFile(path)).toBe("second");
    expect((await Deno.stat(path)).mode! & 0o777).toBe(0o600);
    expect((await Deno.stat(`${folder}/deep`)).mode! & 0o777).toBe(0o700);
    expect([...Deno.readDirSync(`${folder}/deep`)].length).toBe(1);
    expect(await host.readFile(`${folder}/nothing`)).toBeUndefined();
    await Deno.remove(folder, { recursive: true });
  });
});

describe("a session", () => {
  it("is renewed once for calls that meet its end together, and kept", async () => {
    let renewals = 0;
    api.on("POST /auth/refresh", ({ body, headers }) => {
      expect(body).toEqual({ refreshToken: "refresh-1" });
      expect(headers.get("authorization")).toBeFalsy();
      renewals++;
      return session(2);
    });
    api.on(
      "GET /environments",
      ({ headers }) =>
        headers.get("authorization") === "Bearer access-2" ? list() : problem(401, "auth.expired", "Expired."),
    );
    const kept: string[] = [];
    const host = createTestHost();
    const client = createApiClient(
      host,
      { url: api.url, token: "access-1", refreshToken: "refresh-1" },
      (signIn) => Promise.resolve(void kept.push(signIn.token)),
    );
    expect(await Promise.all([client.environments(), client.environments(), client.environments()])).toEqual([
      [],
      [],
      [],
    ]);
    expect({ renewals, kept }).toEqual({ renewals: 1, kept: ["access-2"] });
  });

  it("that cannot be renewed says how to sign in again", async () => {
    api.on("POST /auth/refresh", () => problem(401, "auth.expired", "Expired."));
    api.on("GET /overview", () => problem(401, "auth.expired", "Expired."));
    const host = createTestHost();
    host.files.set(host.configPath, JSON.stringify({ url: api.url, token: "a", refreshToken: "r" }));
    host.files.set(host.configPath, JSON.stringify({ url: api.url, token: "a", refreshToken: "r" }));
    expect(await runCli(["status"], { ...host, env: { BOREAS_URL: api.url } })).toBe(1);
    expect(host.err()).toContain(`Run \`boreas login ${api.url}\``);
  });
});

describe("an answer that is no answer", () => {
  it("says each field that the server refused", async () => {
    api.on(
      "POST /versions",
      () => problem(400, "invalid", "The request is not valid.", [{ path: "gitCommit", message: "is not a commit" }]),
    );
    const { code, err } = await runAgainst(api.url, ["version", "create", "v1", "--commit", "zzz"]);
    expect({ code, err }).toEqual({ code: 1, err: "The request is not valid.\n  gitCommit: is not a commit\n" });
  });

  it("says that nothing listens there", async () => {
    await api.stop();
    const { code, err } = await runAgainst(api.url, ["status"]);
    expect(code).toBe(1);
    expect(err).toBe(`Could not reach ${api.url}: the connection was refused. Is Boreas running there?\n`);
  });

  it("doubts a server that is not Boreas", async () => {
    api.on("GET /overview", () => new Response("<html>hello"));
    expect((await runAgainst(api.url, ["status"])).err).toContain("Is it a Boreas server?");
    api.on("GET /overview", () => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
    expect((await runAgainst(api.url, ["status"])).err).toBe(`${api.url} answered 502 Bad Gateway.\n`);
  });
});

describe("the API client", () => {
  it("reads a list to its end, page by page", async () => {
    api.on(
      "GET /versions",
      ({ query }) =>
        query.get("cursor") === "next"
          ? list(version(3, "v3"))
          : { items: [version(1, "v1"), version(2, "v2")], nextCursor: "next" },
    );
    const client = createApiClient(createTestHost(), { url: api.url, token: "t" });
    expect((await client.versions()).map((v) => v.version)).toEqual(["v1", "v2", "v3"]);
  });

  it("gives every write a key of its own, so that it is done once", async () => {
    api.on(`POST /deployments/${uuid(900)}/start`, () => deployment("running"));
    const client = createApiClient(createTestHost(), { url: api.url, token: "t" });
    await client.actOnDeployment(uuid(900), "start");
    await client.actOnDeployment(uuid(900), "start");
    const keys = api.calls.map((c) => c.headers.get("idempotency-key"));
    expect(new Set(keys).size).toBe(2);
    expect(keys).not.toContain(null);
  });
});

describe("the live stream", () => {
  const changed = (id: string) => ({ type: "changed" as const, topic: "agents", id });

  it("goes on from the last resume point after a lost connection", async () => {
    const connections: (string | null)[] = [];
    api.on("GET /live", ({ headers }) => {
      connections.push(headers.get("last-event-id"));
      return connections.length === 1
        ? stream([{ id: "1", event: changed("a") }, { id: "2", event: changed("b") }])
        : connections.length === 2
        ? problem(503, "busy", "Restarting.")
        : stream([{ id: "3", event: changed("c") }]);
    });
    const client = createApiClient(createTestHost(), { url: api.url, token: "t" });
    const seen: unknown[] = [];
    let lost = 0;
    for await (const event of client.live(["agents"], { onLost: () => lost++ })) {
      seen.push("id" in event && event.id);
      if (seen.length === 3) break;
    }
    expect({ seen, lost }).toEqual({ seen: ["a", "b", "c"], lost: 1 });
    expect(connections).toEqual([null, "2", "2"]);
  });

  it("ends with the server's sentence when it is refused", async () => {
    api.on("GET /live", () => problem(400, "topic", "There is no topic agents."));
    const client = createApiClient(createTestHost(), { url: api.url, token: "t" });
    await expect(client.live(["agents"]).next()).rejects.toThrow("There is no topic agents.");
  });

  it("gives up on a server that stays away", async () => {
    api.on("GET /live", () => problem(503, "busy", "Restarting."));
    let now = 0;
    const client = createApiClient({ ...createTestHost(), now: () => now += 30_000 }, { url: api.url, token: "t" });
    await expect(client.live(["agents"]).next()).rejects.toThrow("stayed away for 120 s");
  });
});

describe("an event stream", () => {
  const read = async (...chunks: (string | Uint8Array)[]) => {
    const encoder = new TextEncoder();
    const frames = [];
    const body = ReadableStream.from(chunks.map((c) => typeof c === "string" ? encoder.encode(c) : c));
    for await (const frame of readEventStream(body)) frames.push(frame);
    return frames;
  };

  it("is read the same however it is cut", async () => {
    const whole =
      'id: 7\r\nevent: log\r\n: a comment\r\ndata: {"a":\r\ndata: "ü"}\r\n\r\ndata: x\n\ndata: unfinished\n';
    const expected = [
      { id: "7", event: "log", data: '{"a":\n"ü"}' },
      { id: null, event: "message", data: "x" },
    ];
    expect(await read(whole)).toEqual(expected);
    expect(await read(...[...new TextEncoder().encode(whole)].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });
});
