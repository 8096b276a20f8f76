import { beforeAll, describe, expect, it } from "vitest";
import { createHmac } from "node:crypto";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import type { TestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { COMMIT, samplePush, SECRET } from "../../tests/helpers/webhook_samples.ts";
import type { SampleHook, SampleOptions } from "../../tests/helpers/webhook_samples.ts";
import { PROVIDERS } from "../../protocol/http_api.ts";
import type { Provider } from "../../protocol/http_api.ts";
import { webhookRoutes } from "./webhooks.ts";
import { createRouter } from "../route.ts";
import { createErrorResponse } from "../error_response.ts";
import type { ApiDeps } from "../deps.ts";

let db: TestDatabase;
let api: TestApi;
const remembered = new Set<string>();
beforeAll(async () => {
  db = await createTestDatabase();
  api = await createTestApi(db, {
    limiter: { kind: "memory", hit: () => Promise.resolve(0) },
    recentDeliveries: {
      seen: (key) => Promise.resolve(remembered.has(key)),
      remember: (key) => Promise.resolve(void remembered.add(key)),
    },
  });
});

let count = 0;
async function register(provider: Provider, more: Record<string, unknown> = {}) {
  const url = `https://git.example.com/trade/shop-${++count}.git`;
  const { status, body } = await api.request("POST", "/repositories", {
    url,
    provider,
    webhookSecret: SECRET,
    ...more,
  });
  expect(status).toBe(201);
  return { id: body.id as string, url, path: body.webhookPath as string };
}
const send = (path: string, hook: SampleHook) =>
  api.request("POST", `http://localhost${path}`, hook.body, null, hook.headers);
const rows = async (id: string) =>
  await db.sql`select delivery_key, status, ref, commit, reason from delivery where repository_id = ${id} order by id`;
const push = (provider: Provider, options: SampleOptions = {}) => samplePush(provider, options);

describe.each(PROVIDERS)("a webhook of %s", (provider) => {
  it("is durable before it is answered, and worked on once however often it is told", async () => {
    const repository = await register(provider);
    const hook = push(provider, { url: repository.url });
    const first = await send(repository.path, hook);
    expect([first.status, first.body.status]).toEqual([202, "received"]);
    expect(await rows(repository.id)).toMatchObject([{ status: "received", ref: "refs/heads/main", commit: COMMIT }]);
    const again = await send(repository.path, hook);
    expect([again.status, again.body.status]).toEqual([200, "duplicate"]);
    remembered.clear();
    const third = await send(repository.path, hook);
    expect([third.status, third.body]).toEqual([200, { deliveryId: first.body.deliveryId, status: "duplicate" }]);
    expect((await rows(repository.id)).length).toBe(1);
  });

  it("that is not signed with the secret is a 401 and no row", async () => {
    const repository = await register(provider);
    for (
      const hook of [push(provider, { secret: "another secret of some length" }), { ...push(provider), headers: {} }]
    ) {
      const { status, body } = await send(repository.path, hook);
      expect([status, body.code]).toEqual([401, "webhook.signature"]);
    }
    expect(await rows(repository.id)).toEqual([]);
  });

  it("that is signed and says nothing sensible is answered with 2xx or 4xx", async () => {
    const repository = await register(provider);
    const odd = [
      "",
      "null",
      "[]",
      "0",
      '"x"',
      "{",
      "{}",
      "\ufeff{}",
      '{"ref":null}',
      '{"ref":{"a":[1]},"after":"x","commit":1}',
      "[".repeat(100_000),
      `{"ref":"${"x".repeat(100_000)}"}`,
    ];
    for (const body of odd) {
      const { status } = await send(repository.path, push(provider, { body }));
      expect([body.slice(0, 20), status >= 200 && status < 500]).toEqual([body.slice(0, 20), true]);
    }
  });

  it("without an id finds the repository whose secret fits and that it names", async () => {
    const [one, other] = [
      await register(provider, { webhookSecret: `${SECRET} one` }),
      await register(provider, { webhookSecret: `${SECRET} two` }),
    ];
    const path = `/webhook/${provider}`;
    const { status } = await send(path, push(provider, { url: other.url, secret: `${SECRET} two` }));
    expect(status).toBe(202);
    expect([(await rows(one.id)).length, (await rows(other.id)).length]).toEqual([0, 1]);
    if (provider === "generic") return; // its body names none
    const foreign = await send(path, push(provider, { url: one.url, secret: `${SECRET} two` }));
    expect([foreign.status, foreign.body.code]).toEqual([401, "webhook.repository"]);
    expect((await rows(one.id)).length).toBe(0);
  });
});

describe("a webhook", () => {
  it("told fifty times in parallel is one delivery", async () => {
    const repository = await register("github");
    const hook = push("github");
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(repository.path, hook)));
    expect(answers.filter((a) => a.status === 202).length).toBe(1);
    expect(answers.filter((a) => a.status === 200 && a.body.status === "duplicate").length).toBe(49);
    expect((await rows(repository.id)).length).toBe(1);
  });

  it("is judged by the provider that was registered, not by the one in its address or headers", async () => {
    const repository = await register("gitlab");
    const { status } = await send(repository.path.replace("gitlab", "github"), push("github"));
    expect(status).toBe(404);
    expect((await send(repository.path, push("github"))).status).toBe(401);
    expect(await rows(repository.id)).toEqual([]);
  });

  it("that names another address or repository changes nothing of the registered one", async () => {
    const repository = await register("github");
    const before = (await api.request("GET", `/repositories/${repository.id}`)).body;
    const hook = push("github", { url: "https://evil.example.com/x.git" });
    expect((await send(repository.path, hook)).status).toBe(202);
    expect((await api.request("GET", `/repositories/${repository.id}`)).body).toEqual(before);
  });

  it("of a branch or tag that is not followed is kept as ignored, with a sentence", async () => {
    const repository = await register("github", { tagPattern: "v*" });
    const answers = [
      await send(repository.path, push("github", { ref: "refs/heads/topic" })),
      await send(repository.path, push("github", { ref: "refs/tags/nightly" })),
      await send(repository.path, push("github", { commit: "0".repeat(40) })),
      await send(repository.path, push("github", { ref: "refs/tags/v1" })),
    ];
    expect(answers.map((a) => [a.status, a.body.status])).toEqual([
      [202, "ignored"],
      [202, "ignored"],
      [202, "ignored"],
      [202, "received"],
    ]);
    expect((await rows(repository.id)).slice(0, 2).map((r) => r.reason.text)).toEqual([
      "Branch topic is not followed; this repository follows main.",
      "Tag nightly does not match v*.",
    ]);
  });

  it("of GitHub may come as a form", async () => {
    const repository = await register("github");
    const { headers } = push("github");
    const body = new URLSearchParams({ payload: JSON.stringify({ ref: "refs/heads/main", after: COMMIT }) }).toString();
    const signature = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
    const hook = {
      body,
      headers: { ...headers, "content-type": "application/x-www-form-urlencoded", "x-hub-signature-256": signature },
    };
    expect((await send(repository.path, hook)).status).toBe(202);
  });

  it("larger than 25 MiB, without a length too, is a 413; a packed one is a 415", async () => {
    const repository = await register("github");
    const size = 26 * 1024 * 1024;
    const declared = await api.app.request(repository.path, {
      method: "POST",
      body: "x",
      headers: { "content-length": String(size) },
    });
    expect(declared.status).toBe(413);
    let sent = 0;
    const endless = new ReadableStream({
      pull: (c) => c.enqueue(new Uint8Array(1024 * 1024)),
      cancel: () => void (sent = -1),
    }, { highWaterMark: 0 });
    const streamed = await api.app.request(
      repository.path,
      { method: "POST", body: endless, duplex: "half" } as RequestInit,
    );
    expect([streamed.status, sent]).toEqual([413, -1]);
    const packed = await api.app.request(repository.path, {
      method: "POST",
      body: "x",
      headers: { "content-encoding": "gzip" },
    });
    expect(packed.status).toBe(415);
  });

  it("whose body does not come in time is a 408 and lets go of its stream", async () => {
    const repository = await register("github");
    let fire = () => {};
    let cancelled = false;
    const clock: ApiDeps["clock"] = { ...api.deps.clock, after: (_ms, call) => ((fire = call), { cancel() {} }) };
    const app = createRouter().route("/", webhookRoutes({ ...api.deps, clock }));
    app.onError(createErrorResponse(api.deps.logger));
    const body = new ReadableStream({ pull: () => queueMicrotask(fire), cancel: () => void (cancelled = true) }, {
      highWaterMark: 0,
    });
    const response = await app.request(repository.path, { method: "POST", body, duplex: "half" } as RequestInit);
    expect([response.status, (await response.json()).code, cancelled]).toEqual([408, "webhook.timeout", true]);
  });

  it("that is refused again and again is told to wait", async () => {
    const limited = await createTestApi(await createTestDatabase());
    const { body } = await limited.request("POST", "/repositories", {
      url: "https://git.example.com/a/b.git",
      provider: "github",
      webhookSecret: SECRET,
    });
    const statuses = new Set<number>();
    for (let n = 0; n < 70; n++) {
      statuses.add((await limited.request("POST", `http://localhost${body.webhookPath}`, "{}", null)).status);
    }
    expect([...statuses]).toEqual([401, 429]);
    // Who signs well is not held up by who does not.
    const good = push("github");
    expect((await limited.request("POST", `http://localhost${body.webhookPath}`, good.body, null, good.headers)).status)
      .toBe(202);
  });
});
