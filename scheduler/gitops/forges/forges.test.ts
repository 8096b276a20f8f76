/** Each provider's API, played by a real receiver that refuses what the provider would refuse. */
import { describe, expect, it } from "vitest";
import { createVault } from "../../../db/secrets/vault.ts";
import { COMMIT_STATES } from "../../../domain/commit_status.ts";
import { createClock } from "../../../host/clock.ts";
import { LONGEST_PAGE, playForge, sayError } from "../../../tests/helpers/play_forge.ts";
import type { PlayedForge, PlayedProvider } from "../../../tests/helpers/play_forge.ts";
import { OutgoingError } from "../outgoing_http.ts";
import { RefusedCall } from "./call_forge.ts";
import { tellCommit } from "./tell_commit.ts";
import { marksOf, tellPull } from "./tell_pull.ts";

const PROVIDERS: PlayedProvider[] = ["github", "gitlab", "gitea", "forgejo", "bitbucket"];
const COMMIT = "4f1c0b7e5d2a9c8b3e6f7a1d0c9b8a7e6f5d4c3b";
const repositoryId = "0190aaaa-0000-7000-8000-000000000001";
const vault = await createVault(new Uint8Array(32));
const deps = { fetch, checkOutgoing: () => Promise.resolve([]), clock: createClock(), vault };
const [mark] = await marksOf(vault, repositoryId, 7);

function play(provider: PlayedProvider, token = "TOKEN") {
  const forge = playForge(provider, "trade/shop");
  const place = { provider, url: "https://git.example.com/trade/shop.git", apiUrl: forge.url };
  return {
    forge,
    tell: (text: string) => tellPull(deps, { ...place, repositoryId, number: 7 }, token, text),
    set: (state: (typeof COMMIT_STATES)[number], more: { context?: string; description?: string } = {}) =>
      tellCommit(deps, place, token, COMMIT, {
        ...{ context: "boreas/prod", state, description: "v1 is deployed.", url: "https://boreas.example.com/d/1" },
        ...more,
      }),
  };
}
const fill = (forge: PlayedForge, count: number) => {
  for (let i = 0; i < count; i++) forge.comments.push({ id: i + 1, text: `word ${i}`, author: "ada" });
};
const caught = (work: Promise<unknown>): Promise<Error> => work.then(() => new Error("it went well"), (e: Error) => e);

describe.each(PROVIDERS)("a pull request at %s", (provider) => {
  it("gets one comment, which is found again behind a full page of others and written anew", async () => {
    const { forge, tell } = play(provider);
    fill(forge, LONGEST_PAGE(provider) + 5);
    expect(await tell("First.")).toBe("created");
    expect(await tell("Second.")).toBe("updated");
    expect(forge.comments).toHaveLength(LONGEST_PAGE(provider) + 6);
    expect(forge.comments.at(-1)!.text).toBe(`${mark}\n\nSecond.`);
    expect(forge.comments.filter(({ text }) => text.startsWith("word"))).toHaveLength(LONGEST_PAGE(provider) + 5);
  });

  it("with a comment that an earlier token's owner wrote gets one of this one's, once", async () => {
    const { forge, tell } = play(provider);
    forge.comments.push({ id: 1, text: `${mark}\n\nOld.`, author: "somebody" });
    expect([await tell("First."), await tell("Second.")]).toEqual(["created", "updated"]);
    expect(forge.comments.map(({ text }) => text)).toEqual([`${mark}\n\nOld.`, `${mark}\n\nSecond.`]);
  });

  it("with a mark that was copied from another pull request, quoted or deleted is not written there", async () => {
    const { forge, tell } = play(provider);
    const [elsewhere] = await marksOf(vault, repositoryId, 6);
    const [foreign] = await marksOf(await createVault(new Uint8Array(32).fill(1)), repositoryId, 7);
    for (const text of [`${elsewhere}\n\nx`, `${foreign}\n\nx`, `> ${mark}`]) {
      forge.comments.push({ id: forge.comments.length + 1, text, author: "mallory" });
    }
    if (provider === "bitbucket") forge.comments.push({ id: 8, text: mark, author: "boreas", isDeleted: true });
    if (provider === "gitlab") forge.comments.push({ id: 9, text: mark, author: "boreas", isSystem: true });
    expect(await tell("First.")).toBe("created");
  });
});

describe.each(PROVIDERS)("a status at %s", (provider) => {
  it("is set under its name with a sentence and a link, in the provider's words, and changed there", async () => {
    const { forge, set } = play(provider);
    for (const state of COMMIT_STATES) await set(state);
    await set("pending"); // once more, from where an end had been
    const words = forge.statuses.map(({ state }) => state);
    expect(words).toEqual(
      {
        github: ["pending", "pending", "success", "failure", "error", "pending"],
        gitea: ["pending", "pending", "success", "failure", "error", "pending"],
        forgejo: ["pending", "pending", "success", "failure", "error", "pending"],
        gitlab: ["pending", "running", "success", "failed", "canceled", "pending"],
        bitbucket: ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED", "INPROGRESS"],
      }[provider],
    );
    expect(forge.statuses[0]).toMatchObject({
      commit: COMMIT,
      context: "boreas/prod",
      description: "v1 is deployed.",
      url: "https://boreas.example.com/d/1",
    });
  });

  it("that stands there already, or goes back from running to pending, is no mistake", async () => {
    const { set } = play(provider);
    for (const state of ["pending", "pending", "running", "running", "pending"] as const) await set(state);
  });

  it("of an environment with a very long name is told", async () => {
    const { forge, set } = play(provider);
    const context = `boreas/${"long-".repeat(12)}`;
    await set("success", { context });
    expect(forge.statuses.at(-1)!.context).toBe(context);
  });
});

describe.each(PROVIDERS)("%s", (provider) => {
  it("that does not take the token, forbids it or knows no such thing says what to mend, and never the token", async () => {
    const wrong = await caught(play(provider, "CANARY").tell("x"));
    expect(wrong).toBeInstanceOf(RefusedCall);
    expect(wrong.message).toMatch(/answers 401 at 127\.0\.0\.1:\d+ \("Bad credentials"\); .*statusToken/);
    for (const [status, mend] of [[403, "it needs"], [404, "the repository's address"]] as const) {
      const { forge, set } = play(provider, "CANARY");
      const echo = sayError(provider, status, `no, ${"CANARY"}, Bearer CANARY, token CANARY`);
      forge.trouble.push({ status, body: echo });
      const refused = await caught(set("success"));
      expect(refused).toBeInstanceOf(RefusedCall);
      expect(refused.message).toContain(mend);
      expect(refused.message).not.toContain("CANARY");
    }
  });

  it("that wants to be left alone, or is away, is asked again when it said", async () => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString();
    const resetAt = String(Math.ceil(Date.now() / 1000) + 60);
    const waits: [number, Record<string, string>, boolean][] = [
      [429, { "retry-after": "60" }, true],
      [429, { "retry-after": inAMinute }, true],
      [403, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": resetAt }, true],
      [503, {}, false],
      [429, { "retry-after": "soon" }, false],
    ];
    for (const [status, headers, isTold] of waits) {
      const { forge, tell } = play(provider);
      forge.trouble.push({ status, headers });
      const later = await caught(tell("x"));
      expect(later).toBeInstanceOf(OutgoingError);
      const { retryAfterSeconds } = later as OutgoingError;
      // Not below: some of the minute may have gone by on a slow machine.
      if (isTold) expect(retryAfterSeconds).toBeGreaterThan(0);
      expect(retryAfterSeconds ?? 60).toBeLessThanOrEqual(62);
      expect(retryAfterSeconds === undefined).toBe(!isTold);
    }
  });

  it("that redirects, or answers something else than JSON, is not followed and not believed", async () => {
    const { forge, tell } = play(provider);
    forge.trouble.push({ status: 302, headers: { location: "https://evil.example.com/" } });
    expect((await caught(tell("x"))).message).toContain("answers 302");
    expect(forge.calls).toHaveLength(1);
  });
});

it.each(["gitea", "forgejo", "bitbucket"] as const)("%s is not quoted with what its header had", async (provider) => {
  const { forge, set } = play(provider, "ada:CANARY");
  forge.trouble.push({ status: 403, body: sayError(provider, 403, `${btoa("ada:CANARY")} may not, nor may CANARY`) });
  expect((await caught(set("success"))).message).toContain('("*** may not, nor may ***")');
});

it("a generic repository, a folder without apiUrl and an address that cannot be read have no API", async () => {
  for (
    const place of [
      { provider: "generic" as const, url: "https://git.example.com/a/b", apiUrl: null },
      { provider: "github" as const, url: "/srv/git/a", apiUrl: null },
      { provider: "github" as const, url: "ext::sh -c x", apiUrl: null },
    ]
  ) {
    const status = { context: "boreas", state: "success" as const, description: "", url: "" };
    await expect(tellCommit(deps, place, "TOKEN", COMMIT, status)).rejects.toThrow(RefusedCall);
  }
});
