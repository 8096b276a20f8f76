import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import fc from "../../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { COMMIT, samplePush, SECRET, standardHeaders } from "../../tests/helpers/webhook_samples.ts";
import type { SampleHook } from "../../tests/helpers/webhook_samples.ts";
import { PROVIDERS } from "../http_api.ts";
import type { Provider } from "../http_api.ts";
import { WEBHOOK_PROVIDERS } from "./providers.ts";

const now = new Date("2026-05-01T10:00:00Z");
const bytes = (text: string) => new TextEncoder().encode(text);
const reader = (headers: Record<string, string>) => (name: string) => headers[name];
const verify = (provider: Provider, hook: SampleHook, secret = SECRET) =>
  WEBHOOK_PROVIDERS[provider].verify({ body: bytes(hook.body), header: reader(hook.headers), secret, now });
const read = (provider: Provider, hook: SampleHook) =>
  WEBHOOK_PROVIDERS[provider].read(JSON.parse(hook.body), reader(hook.headers), bytes(hook.body));
const SIGNED_GITLAB = `whsec_${btoa("0123456789abcdef0123456789abcdef")}`;
const samples: { name: string; examples: unknown[] }[] = createRequire(import.meta.url)(
  "@octokit/webhooks-examples/api.github.com/index.json",
);

describe.each(PROVIDERS)("a push from %s", (provider) => {
  it("is verified and read", () => {
    const hook = samplePush(provider, { now, id: "delivery-1" });
    expect(verify(provider, hook)).toBe(true);
    expect(read(provider, hook)).toEqual([
      { event: expect.stringContaining("push"), ref: "refs/heads/main", commit: COMMIT, deliveryKey: "delivery-1" },
    ]);
  });

  it("of a tag names the tag", () => {
    const hook = samplePush(provider, { now, ref: "refs/tags/v1.2" });
    expect(read(provider, hook)[0]).toMatchObject({ ref: "refs/tags/v1.2", commit: COMMIT });
  });

  it("is refused with another secret, an empty one, changed bytes or no header", () => {
    const hook = samplePush(provider, { now });
    expect(verify(provider, hook, `${SECRET}x`)).toBe(false);
    expect(verify(provider, samplePush(provider, { now, secret: "" }), "")).toBe(false);
    expect(verify(provider, { ...hook, headers: {} })).toBe(false);
    // GitLab's plain token says nothing about the body: only its signed form does.
    if (provider !== "gitlab") expect(verify(provider, { ...hook, body: hook.body.replace(":", ": ") })).toBe(false);
  });

  it("counts the bytes as they came: white space, escapes, repeated keys and line ends", () => {
    const body = `\r\n{ "ref" :"refs/heads/x", "ref": "refs/heads/\\u006dain",\r\n "after": "${COMMIT}" }\n`;
    expect(verify(provider, samplePush(provider, { now, body }))).toBe(true);
  });

  it("with any shape is read without throwing", () => {
    const header = reader(samplePush(provider, { now }).headers);
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (payload) => {
      expect(WEBHOOK_PROVIDERS[provider].read(payload, header, bytes("x")).length).toBeGreaterThan(0);
      WEBHOOK_PROVIDERS[provider].addresses(payload);
    }));
  });

  it("whose fields are mutated one by one is read without throwing", () => {
    const hook = samplePush(provider, { now });
    const odd = [null, 0, "", "-x", [], {}, true, "refs/heads/--upload-pack=x", "\u0000", Array(1000).fill(0)];
    const payload = JSON.parse(hook.body);
    const visit = (node: Record<string, unknown>) => {
      for (const key of Object.keys(node)) {
        const before = node[key];
        for (const value of odd) {
          node[key] = value;
          for (const event of WEBHOOK_PROVIDERS[provider].read(payload, reader(hook.headers), bytes(hook.body))) {
            expect(event.ref ?? "refs/").toMatch(/^refs\/(heads|tags)?/);
            expect(event.ref ?? "").not.toContain("--upload-pack");
          }
        }
        node[key] = before;
        if (before !== null && typeof before === "object") visit(before as Record<string, unknown>);
      }
    };
    visit(payload);
  });
});

describe("GitHub", () => {
  it("is refused when truncated, signed with SHA-1 alone, or with an empty signature", () => {
    const hook = samplePush("github");
    const signature = hook.headers["x-hub-signature-256"]!;
    const withSignature = (value: string) => ({ ...hook, headers: { ...hook.headers, "x-hub-signature-256": value } });
    expect(verify("github", withSignature(signature.slice(0, -1)))).toBe(false);
    expect(verify("github", withSignature("sha256="))).toBe(false);
    expect(verify("github", withSignature(signature.slice("sha256=".length)))).toBe(false);
    const sha1 = createHmac("sha1", SECRET).update(hook.body).digest("hex");
    expect(verify("github", { ...hook, headers: { "x-hub-signature": `sha1=${sha1}` } })).toBe(false);
    const { "x-hub-signature-256": sha256, ...rest } = hook.headers;
    expect(verify("github", { ...hook, headers: { ...rest, "x-hub-signature": sha256! } })).toBe(false);
  });

  it("reads every published example payload, pushes and pull requests as such and the rest as ignored", () => {
    let pushes = 0;
    let pulls = 0;
    for (const { name, examples } of samples) {
      for (const payload of examples) {
        const [event] = WEBHOOK_PROVIDERS.github.read(payload, reader({ "x-github-event": name }), bytes("x"));
        if (name === "push" && event!.ignoredBecause === undefined) {
          pushes++;
          expect(event!.commit).toMatch(/^[0-9a-f]{40}$/);
          expect(WEBHOOK_PROVIDERS.github.addresses(payload)[0]).toMatch(/^https:\/\/github\.com\//);
        } else if (name === "pull_request" && event!.ignoredBecause === undefined) {
          pulls++;
          expect(event!.pull).toMatchObject({ number: expect.any(Number), base: expect.stringMatching(/./) });
        } else expect(event!.ignoredBecause).toBeTruthy();
      }
    }
    expect(pushes).toBeGreaterThan(2);
    expect(pulls).toBeGreaterThan(2);
  });

  it("ignores a ping and a deleted branch with a sentence", () => {
    const ping = WEBHOOK_PROVIDERS.github.read({}, reader({ "x-github-event": "ping" }), bytes("{}"));
    expect(ping[0]!.ignoredBecause).toBe("A ping: the hook works.");
    const gone = samplePush("github", { commit: "0".repeat(40) });
    expect(read("github", gone)[0]!.ignoredBecause).toContain("deleted");
  });
});

describe("GitLab", () => {
  const plain = (token: string) => ({ headers: { "x-gitlab-token": token }, body: "{}" });
  it("refuses a token that is shorter, longer or only begins like the secret", () => {
    for (const token of ["", SECRET.slice(0, -1), `${SECRET}x`, SECRET.toUpperCase()]) {
      expect(verify("gitlab", plain(token))).toBe(false);
    }
  });

  it("verifies the signed form, refuses it six minutes off, and accepts one valid signature of two", () => {
    const signed = (at: Date) => samplePush("gitlab", { secret: SIGNED_GITLAB, now: at });
    expect(verify("gitlab", signed(now), SIGNED_GITLAB)).toBe(true);
    for (const minutes of [-6, 6]) {
      expect(verify("gitlab", signed(new Date(now.getTime() + minutes * 60_000)), SIGNED_GITLAB)).toBe(false);
    }
    const hook = signed(now);
    hook.headers["webhook-signature"] = `v1,${"A".repeat(43)}= ${hook.headers["webhook-signature"]}`;
    expect(verify("gitlab", hook, SIGNED_GITLAB)).toBe(true);
  });

  it("does not take the plain token where a signature is expected", () => {
    expect(verify("gitlab", plain(SIGNED_GITLAB), SIGNED_GITLAB)).toBe(false);
  });

  it("takes the commit, not the tag object, of an annotated tag", () => {
    const body = JSON.stringify({
      object_kind: "tag_push",
      ref: "refs/tags/v1",
      after: "1".repeat(40),
      checkout_sha: COMMIT,
    });
    expect(read("gitlab", { headers: {}, body })[0]!.commit).toBe(COMMIT);
  });
});

describe("Gitea and Forgejo", () => {
  it("refuse the empty header that a hook without a secret sends", () => {
    expect(verify("gitea", { headers: { "x-gitea-signature": "" }, body: "{}" }, "")).toBe(false);
    expect(verify("gitea", { headers: { "x-gitea-signature": "" }, body: "{}" })).toBe(false);
  });

  it("never fall back to each other's header", () => {
    const hook = samplePush("gitea");
    expect(verify("forgejo", { ...hook, headers: { ...hook.headers, "x-forgejo-signature": "0".repeat(64) } })).toBe(
      false,
    );
    expect(verify("forgejo", hook)).toBe(false);
  });
});

describe("Bitbucket", () => {
  it("Server's form is read, each ref with a key of its own", () => {
    const body = JSON.stringify({
      changes: [
        { ref: { id: "refs/heads/main" }, toHash: COMMIT, type: "UPDATE" },
        { ref: { id: "refs/heads/old" }, toHash: "0".repeat(40), type: "DELETE" },
      ],
    });
    const headers = { "x-event-key": "repo:refs_changed", "x-request-id": "r1" };
    const events = read("bitbucket", { headers, body });
    expect(events.map((e) => [e.deliveryKey, e.commit])).toEqual([["r1", COMMIT], ["r1#1", null]]);
    expect(events[1]!.ignoredBecause).toContain("deleted");
  });

  it("Cloud's deletion is ignored by name of its ref", () => {
    const body = JSON.stringify({ push: { changes: [{ new: null, old: { type: "branch", name: "gone" } }] } });
    const [event] = read("bitbucket", { headers: { "x-event-key": "repo:push" }, body });
    expect(event).toMatchObject({ ref: "refs/heads/gone", commit: null });
  });
});

describe("a generic sender", () => {
  it("may use a whsec_ key or any text as its secret", () => {
    const body = JSON.stringify({ ref: "refs/heads/main", commit: COMMIT });
    for (const secret of [SIGNED_GITLAB, SECRET]) {
      expect(verify("generic", { body, headers: standardHeaders(body, secret, "m1", now) }, secret)).toBe(true);
    }
  });

  it("gets a key from the body when its delivery id is missing or too long", () => {
    const event = (id?: string) =>
      WEBHOOK_PROVIDERS.generic.read({ ref: "refs/heads/main", commit: COMMIT }, () => id, bytes("body"))[0]!;
    expect(event().deliveryKey).toMatch(/^sha256:/);
    expect(event("x".repeat(300)).deliveryKey).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(event("x".repeat(300)).deliveryKey).not.toBe(event("y".repeat(300)).deliveryKey);
  });
});

describe("a pull request", () => {
  const head = "4f1c0b7e5d2a9c8b3e6f7a1d0c9b8a7e6f5d4c3b";
  const gitea = (isFork: boolean) => ({
    action: "synchronized",
    number: 7,
    pull_request: {
      number: 7,
      title: "Say more",
      html_url: "https://git.example.com/shop/pulls/7",
      base: { ref: "main", repo: { id: 1 } },
      head: { sha: head, repo: { id: isFork ? 2 : 1 } },
    },
  });
  const gitlab = (isFork: boolean) => ({
    object_kind: "merge_request",
    object_attributes: {
      ...{ iid: 7, title: "Say more", url: "https://git.example.com/shop/-/merge_requests/7", action: "update" },
      ...{ target_branch: "main", last_commit: { id: head }, target_project_id: 1, source_project_id: isFork ? 2 : 1 },
    },
  });
  const bitbucket = (isFork: boolean) => ({
    pullrequest: {
      ...{ id: 7, title: "Say more", links: { html: { href: "https://bitbucket.org/shop/pull-requests/7" } } },
      destination: { branch: { name: "main" }, repository: { full_name: "trade/shop" } },
      source: {
        branch: { name: "work" },
        commit: { hash: head.slice(0, 12) },
        repository: { full_name: isFork ? "other/shop" : "trade/shop" },
      },
    },
  });
  it.each<[Provider, Record<string, string>, (isFork: boolean) => unknown, string, string | null]>([
    ["github", { "x-github-event": "pull_request" }, gitea, "refs/pull/7/head", head],
    ["gitea", { "x-gitea-event": "pull_request" }, gitea, "refs/pull/7/head", head],
    ["forgejo", { "x-forgejo-event": "pull_request" }, gitea, "refs/pull/7/head", head],
    ["gitlab", {}, gitlab, "refs/merge-requests/7/head", head],
    ["bitbucket", { "x-event-key": "pullrequest:updated" }, bitbucket, "refs/heads/work", null],
  ])(
    "of %s names its ref, commit, branch, and whether it comes from elsewhere",
    (provider, headers, make, ref, commit) => {
      const [own, fork] = [false, true].map((isFork) =>
        WEBHOOK_PROVIDERS[provider].read(make(isFork), reader(headers), bytes("x"))[0]!
      );
      const pull = { number: 7, title: "Say more", url: expect.stringContaining("7"), base: "main", isFork: false };
      expect(own).toMatchObject({ ref, commit, pull });
      if (provider === "bitbucket") expect(fork).toMatchObject({ ref: null, ignoredBecause: expect.any(String) });
      else expect(fork!.pull!.isFork).toBe(true);
    },
  );

  it("that was closed, labelled or says nothing that can be used is passed over with a sentence", () => {
    const read = (change: Record<string, unknown>) =>
      WEBHOOK_PROVIDERS.github.read(
        { ...gitea(false), ...change },
        reader({ "x-github-event": "pull_request" }),
        bytes("x"),
      )[0]!;
    for (const action of ["closed", "labeled", "assigned"]) {
      expect(read({ action })).toMatchObject({ ref: null, ignoredBecause: expect.stringContaining("pull_request") });
    }
    const { pull_request } = gitea(false);
    for (
      const broken of [{ number: "7; touch x" }, { number: -1 }, { base: { ref: "--upload-pack=x" } }, { base: null }]
    ) {
      const said = read({ number: undefined, pull_request: { ...pull_request, ...broken } });
      expect(said).toMatchObject({ ref: null, ignoredBecause: expect.any(String) });
      expect(said.pull).toBeUndefined();
    }
    // Whoever does not say where it comes from is trusted as little as a fork.
    const nowhere = read({ pull_request: { ...pull_request, head: { sha: head, repo: null } } });
    expect(nowhere.pull!.isFork).toBe(true);
  });

  it("as GitHub documents it is read for every action that changes what would be deployed", () => {
    const examples = samples.find(({ name }) => name === "pull_request")!.examples as { action: string }[];
    for (const payload of examples) {
      const event = WEBHOOK_PROVIDERS.github.read(
        payload,
        reader({ "x-github-event": "pull_request" }),
        bytes("x"),
      )[0]!;
      const counts = ["opened", "reopened", "synchronize", "edited"].includes(payload.action);
      expect(event.pull !== undefined, payload.action).toBe(counts);
    }
  });
});
