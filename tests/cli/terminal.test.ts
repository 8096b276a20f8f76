/** What a person sees: tables that fit their terminal, a strategy of a deployment's own, and who is signed in. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toPlainText } from "../../cli/plain_text.ts";
import { sayTable, wrapText } from "../../cli/table.ts";
import { deployment, environment, type FakeApi, list, startFakeApi, task, uuid, version } from "./fake_api.ts";
import { runAgainst } from "./test_host.ts";

describe("what others wrote", () => {
  it("moves, hides and turns nothing at a terminal; lines, tabs and our own colours stay", () => {
    const kept = "one\ttwo\r\nthree \x1b[32msuccess\x1b[0m, 服务 é 🚀\n";
    expect(toPlainText(kept, true)).toBe(kept);
    for (const sign of ["\x1b", "\x07", "\b", "\r", "\x7f", "\x9b", "\u202e", "\u2066", "\u200f", "\u061c"]) {
      expect(toPlainText(`a${sign}[2Jb`, true), escape(sign)).toBe("a\ufffd[2Jb");
    }
    expect(toPlainText("\x1b[8mhidden\x1b[0m", true)).toBe("\ufffd[8mhidden\x1b[0m");
    expect(toPlainText("\x1b[31mforged", true)).toBe("\x1b[31mforged\x1b[0m");
    expect(toPlainText("\x1b[31mforged", false)).toBe("\ufffd[31mforged");
  });

  it("is shown so by a command, in its answer and in its errors, while JSON and logs have every byte", async () => {
    const api = await startFakeApi();
    const evil = "It failed.\x1b[2K\rAll is well.\u202e\x9b";
    api.on(`GET /deployments/${uuid(900)}`, () => deployment("failed", [task(1, "order", { status: "failed" }, evil)]));
    const shown = await runAgainst(api.url, ["status", uuid(900)]);
    expect(shown.out).toContain("It failed.\ufffd[2K\ufffdAll is well.\ufffd\ufffd");
    const json = await runAgainst(api.url, ["status", uuid(900), "--json"]);
    expect(JSON.parse(json.out).tasks[0].reason.text).toBe(evil);
    expect(json.out).toContain("\\u202e\\u009b");
    api.on(`GET /tasks/${uuid(1)}`, () => task(1, "order"));
    api.on(
      `GET /tasks/${uuid(1)}/logs`,
      () =>
        new Response(`id: 1:1\ndata: ${JSON.stringify({ encoding: "utf8", data: evil })}\n\nevent: end\ndata: {}\n\n`),
    );
    expect((await runAgainst(api.url, ["logs", uuid(1), "-f"])).out).toBe(evil);
    expect((await runAgainst(api.url, ["no\x1b[2Ksuch"])).err).toContain("no\ufffd[2Ksuch");
    await api.stop();
  });
});

describe("a table", () => {
  const heads = ["task", "status", "reason"];
  const rows = [["user", "\x1b[32msuccess\x1b[0m", "It runs and is healthy."], [
    "order",
    "failed",
    "Its check answered 500.",
  ]];

  it("is one line per row where nobody looks, and aligned whatever its colours are", () => {
    expect(sayTable({}, heads, rows)).toBe(
      "TASK   STATUS   REASON\nuser   \x1b[32msuccess\x1b[0m  It runs and is healthy.\norder  failed   Its check answered 500.\n",
    );
  });

  it("keeps the blanks of a value", () => {
    expect(sayTable({}, ["key", "value"], [["ARGS", '"a  b"']])).toBe('KEY   VALUE\nARGS  "a  b"\n');
  });

  it("goes on below its last column where the terminal ends", () => {
    const text = "The check of it answered 500 three times, and so it failed.";
    expect(sayTable({ columns: 44 }, heads, [["order", "failed", text]])).toBe(
      "TASK   STATUS  REASON\norder  failed  The check of it answered 500\n               three times, and so it\n               failed.\n",
    );
  });

  it("stands as a block per row where no column would have room, without what says nothing", () => {
    expect(sayTable({ columns: 30 }, ["url", "state", "note"], [["https://git.example.com/shop.git", "-", "Read."]]))
      .toBe(
        "https://git.example.com/shop.git\n  note   Read.\n",
      );
  });

  it("leaves examples of a help as they are, and joins the lines of its sentences", () => {
    const help = "It waits for\na person.\n  boreas deploy v1 staging --apps user --watch";
    expect(wrapText({ columns: 30 }, help)).toBe(
      "It waits for a person.\n  boreas deploy v1 staging --apps user --watch",
    );
    expect(wrapText({}, help)).toBe(help);
  });
});

describe("with a server", () => {
  let api: FakeApi;
  beforeEach(() => {
    api = startFakeApi();
    api.on("GET /versions", () => list(version(1, "v1")));
    api.on("GET /environments", () => list(environment(2, "staging")));
    api.on("POST /deployments", () => deployment("pending"));
    api.on(`GET /deployments/${uuid(900)}`, () => deployment("failed"));
  });
  afterEach(() => api.stop());
  const sent = () => api.calls.filter((call) => call.method === "POST").map(({ path, body }) => ({ path, body }));

  it("a strategy of a file and the reason for what it leaves out go with the deployment", async () => {
    const input = "type: rolling\nbatch: 2\n";
    const words = ["deploy", "v1", "staging", "--strategy", "-", "--waive", "Stocktaking"];
    expect(await runAgainst(api.url, words, { input })).toMatchObject({ code: 0, err: "" });
    expect(sent()[0]!.body).toMatchObject({
      strategy: { type: "rolling", batch: 2 },
      override: { reason: "Stocktaking" },
    });
  });

  it("a strategy with a mistake is named by file and line, and nothing is made", async () => {
    const files = { "s.yaml": "type: rolling\nbatc: 2\n" };
    const { code, err } = await runAgainst(api.url, ["deploy", "v1", "staging", "--strategy", "s.yaml"], { files });
    expect([code, err]).toEqual([1, expect.stringMatching(/^s\.yaml:2: batc/)]);
    const alone = await runAgainst(api.url, ["deploy", "v1", "staging", "--waive", "why"]);
    expect([alone.code, alone.err]).toEqual([2, "--waive goes with --strategy.\n"]);
    // A script whose variable was empty: not the applications' own strategy instead.
    expect((await runAgainst(api.url, ["deploy", "v1", "staging", "--strategy", ""])).code).toBe(1);
    expect(sent()).toEqual([]);
  });

  it("retry asks for what failed once more", async () => {
    api.on(`POST /deployments/${uuid(900)}/retry`, () => null);
    expect(await runAgainst(api.url, ["retry", uuid(900), "--note", "The disk is empty again."])).toMatchObject({
      code: 0,
    });
    expect(sent()).toEqual([{
      path: `/deployments/${uuid(900)}/retry`,
      body: { note: "The disk is empty again." },
    }]);
  });

  it("says of a removal that it is one", async () => {
    api.on(
      `GET /deployments/${uuid(900)}`,
      () => ({ ...deployment("failed"), removes: true, applications: ["order"] }),
    );
    const { out } = await runAgainst(api.url, ["status", uuid(900)]);
    expect(out).toMatch(/^Removal of order from staging: failed\n/);
  });

  it("a token's secret alone is printed to standard output", async () => {
    const made = { id: uuid(5), name: "ci", username: "me", role: "viewer", createdAt: "2026-01-02T03:04:05Z" };
    api.on("POST /tokens", () => ({ ...made, expiresAt: null, lastUsedAt: null, token: "bor_once" }));
    const { out, err } = await runAgainst(api.url, ["tokens", "create", "ci", "--role", "viewer", "--expires", "2h"]);
    expect([out, err]).toEqual(["bor_once\n", "Token ci (viewer); it is shown this once:\n"]);
    expect(sent()[0]!.body).toEqual({ name: "ci", role: "viewer", expiresInSeconds: 7200 });
    expect(await runAgainst(api.url, ["tokens", "list", "ci"])).toMatchObject({
      code: 2,
      err: "list takes no name: boreas tokens list.\n",
    });
  });

  it("logout ends the session and empties the file", async () => {
    api.on("POST /auth/logout", () => new Response(null, { status: 204 }));
    const kept = { url: api.url, token: "t", refreshToken: "r" };
    const files = { "/home/me/sign-in.json": JSON.stringify(kept) };
    const { code, host } = await runAgainst(api.url, ["logout"], { files });
    expect(code).toBe(0);
    expect(sent()).toEqual([{ path: "/auth/logout", body: { refreshToken: "r" } }]);
    expect(JSON.parse(host.files.get("/home/me/sign-in.json")!)).toEqual({ url: api.url });
  });
});
