import { Buffer } from "node:buffer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli } from "../../cli/run_cli.ts";
import {
  deployment,
  environment,
  type FakeApi,
  list,
  problem,
  startFakeApi,
  stream,
  task,
  uuid,
  version,
} from "./fake_api.ts";
import { createTestHost, runAgainst } from "./test_host.ts";

let api: FakeApi;
beforeEach(() => {
  api = startFakeApi();
  api.on("GET /versions", () => list(version(1, "v1"), version(11, "v2")));
  api.on("GET /environments", () => list(environment(2, "staging"), environment(3, "prod")));
});
afterEach(() => api.stop());
const run = (...argv: string[]) => runAgainst(api.url, argv);
const sent = (method: string) =>
  api.calls.filter((c) => c.method === method).map((c) => ({ path: c.path, body: c.body }));

describe("deploy", () => {
  const id = uuid(900);
  const connected = { id: "0", event: { type: "stream" as const, streamId: "s" } };
  const failed = () =>
    deployment("failed", [
      task(1, "user-service", { status: "success" }),
      task(2, "order-service", { status: "failed" }, "The process exited with code 3."),
    ], "order-service failed.");

  it("creates, starts and follows to the end, with progress apart from the answer", async () => {
    let now = deployment("pending", [task(1, "user-service")]);
    api.on("POST /deployments", () => now);
    api.on(
      `POST /deployments/${id}/start`,
      () => now = deployment("running", [task(1, "user-service", { status: "running" })]),
    );
    api.on(`GET /deployments/${id}`, () => now);
    api.on("GET /live", ({ query }) => {
      expect(query.get("topics")).toBe(`deployment:${id}`);
      const events = [
        connected,
        {
          id: "1",
          event: {
            type: "tasks" as const,
            at: "",
            deploymentId: id,
            tasks: [task(1, "user-service", { status: "success" }, "It answers.")],
          },
        },
        { id: "2", event: { type: "deployment" as const, at: "", deployment: deployment("completed") } },
      ];
      return new Response(
        new ReadableStream({
          async start(controller) {
            for (const event of events) {
              if (event.id === "2") {
                now = deployment("completed", [task(1, "user-service", { status: "success" }, "It answers.")]);
              }
              controller.enqueue(new Uint8Array(await stream([event]).arrayBuffer()));
            }
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    });
    const { code, out, err } = await run(
      "deploy",
      "v1",
      "staging",
      "--apps",
      "user-service",
      "--order",
      "user-service",
      "--start",
      "--watch",
    );
    expect(out).toMatch(/^v1 to staging: completed after .* It is completed\.\n$/);
    expect(code).toBe(0);
    expect(err).toContain("user-service: success - It answers.");
    expect(sent("POST")).toEqual([
      {
        path: "/deployments",
        body: {
          versionId: uuid(1),
          environmentId: uuid(2),
          applications: ["user-service"],
          mustInOrder: ["user-service"],
        },
      },
      { path: `/deployments/${id}/start`, body: {} },
    ]);
  });

  it("fails when the deployment fails, and names the task, its reason and where its log is", async () => {
    api.on("POST /deployments", () => deployment("pending"));
    api.on(`POST /deployments/${id}/start`, () => deployment("running"));
    api.on(`GET /deployments/${id}`, failed);
    api.on("GET /live", () => stream([connected]));
    const { code, out } = await run("deploy", "v1", "staging", "--start", "--watch");
    expect(code).toBe(1);
    expect(out).toContain("failed after");
    expect(out).toContain(`order-service: The process exited with code 3.\n    boreas logs ${uuid(2)}`);
  });

  it("fails with --json too, and prints the deployment as it ended", async () => {
    api.on("POST /deployments", () => deployment("pending"));
    api.on(`GET /deployments/${id}`, failed);
    api.on("GET /live", () => stream([connected]));
    const { code, out } = await run("deploy", "v1", "staging", "--watch", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ id, status: "failed" });
  });

  it("counts the wished end of a rollback as success, and a completed one as failure", async () => {
    api.on(`POST /deployments/${id}/rollback`, () => deployment("rolling_back"));
    api.on("GET /live", () => stream([connected]));
    api.on(`GET /deployments/${id}`, () => deployment("rolled_back"));
    expect((await run("rollback", id, "--watch")).code).toBe(0);
    api.on(`GET /deployments/${id}`, () => deployment("rollback_failed"));
    expect((await run("rollback", id, "--watch", "--note", "bad")).code).toBe(1);
    expect(sent("POST").map((c) => c.body)).toEqual([{}, { note: "bad" }]);
  });

  it("ends waits, and changes the batch size to a count or a share", async () => {
    api.on(`GET /deployments/${id}`, () => deployment("running"));
    api.on(`POST /deployments/${id}/skip`, () => deployment("running"));
    api.on(`PATCH /deployments/${id}`, () => deployment("running"));
    expect((await run("skip", id, "--note", "seen enough")).code).toBe(0);
    expect((await run("batch", id, "25%")).code).toBe(0);
    expect((await run("batch", id, "3")).code).toBe(0);
    expect((await run("batch", id, "many")).code).toBe(2);
    expect(sent("POST").map((c) => c.body)).toEqual([{ note: "seen enough" }]);
    expect(sent("PATCH").map((c) => c.body)).toEqual([{ strategy: { batch: "25%" } }, { strategy: { batch: 3 } }]);
  });

  it("leaves the deployment alone when the person stops watching", async () => {
    api.on(`GET /deployments/${id}`, () => deployment("running"));
    const host = createTestHost({ env: { BOREAS_URL: api.url, BOREAS_TOKEN: "t" } });
    const hello = [new TextEncoder().encode(": hello\n\n")];
    // Once it is asked for more, the greeting has been sent: the stream is open.
    const pull = (c: ReadableStreamDefaultController) => hello.length > 0 ? c.enqueue(hello.pop()) : host.interrupt();
    api.on("GET /live", () => new Response(new ReadableStream({ pull }, { highWaterMark: 0 })));
    expect(await runCli(["status", id, "--watch"], host)).toBe(1);
    expect(host.err()).toBe(`Stopped watching; the deployment goes on. See it with \`boreas status ${id}\`.\n`);
    expect(sent("POST")).toEqual([]);
  });

  it.each([
    [["deploy", "v3", "staging"], 'No version "v3"; did you mean v1?'],
    [["deploy", "banana", "staging"], 'No version "banana"; there is v1, v2.'],
    [["deploy", "v1", "stagin"], 'No environment "stagin"; did you mean staging?'],
  ])("says what there is for %j", async (argv, sentence) => {
    const { code, err } = await run(...argv);
    expect({ code, err }).toEqual({ code: 1, err: `${sentence}\n` });
  });

  it("asks which is meant when two repositories have the version", async () => {
    api.on(
      "GET /versions",
      () => list(version(1, "v1", { repository: "https://a" }), version(2, "v1", { repository: "https://b" })),
    );
    expect((await run("deploy", "v1", "staging")).err).toBe(
      `2 repositories have a version "v1"; name it by its id:\n  ${uuid(1)}  https://a\n  ${uuid(2)}  https://b\n`,
    );
  });

  it("says the server's sentence when the plan is refused", async () => {
    api.on("POST /deployments", () => problem(400, "plan.cycle", "a needs b, b needs a."));
    expect(await run("deploy", "v1", "staging")).toMatchObject({ code: 1, err: "a needs b, b needs a.\n" });
  });
});

describe("logs", () => {
  const id = uuid(2);
  it("prints the stored bytes exactly, page by page", async () => {
    const bytes = new Uint8Array(9 * 1024 * 1024).map((_, i) => i % 251);
    api.on(`GET /tasks/${id}`, () => task(2, "order-service"));
    api.on(`GET /tasks/${id}/logs`, ({ query }) => {
      const [offset, limit] = [Number(query.get("offset")), Number(query.get("limit"))];
      const page = bytes.slice(offset, offset + limit);
      return new Response(page, { headers: { "x-next-offset": String(offset + page.length) } });
    });
    const { code, host } = await run("logs", id);
    expect(code).toBe(0);
    expect(Buffer.from(host.bytes()).equals(Buffer.from(bytes))).toBe(true);
    expect(api.calls.filter((c) => c.path.endsWith("/logs")).length).toBe(3);
  });

  it("follows DEPLOYMENT/APPLICATION over a broken connection without a gap or a double", async () => {
    api.on("GET /deployments", () => list(deployment("running")));
    api.on(`GET /deployments/${uuid(900)}`, () => deployment("running", [task(2, "order-service")]));
    const resumes: (string | null)[] = [];
    const chunk = (id: string, encoding: string, data: string) =>
      new TextEncoder().encode(`id: ${id}\nevent: log\ndata: ${JSON.stringify({ encoding, data })}\n\n`);
    const end = new TextEncoder().encode("event: end\ndata: {}\n\n");
    api.on(`GET /tasks/${id}/logs`, ({ headers, query }) => {
      expect(query.get("follow")).toBe("true");
      resumes.push(headers.get("last-event-id"));
      const broken = resumes.length === 1;
      const parts = broken ? [chunk("1:3", "utf8", "one")] : [chunk("1:4", "base64", "/w=="), end];
      return new Response(
        new ReadableStream({
          pull(controller) {
            const part = parts.shift();
            if (part) controller.enqueue(part);
            else if (broken) controller.error(new Error("the connection broke"));
            else controller.close();
          },
        }),
      );
    });
    const { code, host } = await run("logs", "latest/order-service", "-f");
    expect({ code, bytes: [...host.bytes()] }).toEqual({ code: 0, bytes: [111, 110, 101, 255] });
    expect(resumes).toEqual([null, "1:3"]);
  });

  it("dials again when the stream ends without saying that it is the end", async () => {
    api.on(`GET /tasks/${id}`, () => task(2, "order-service"));
    const parts = [
      'id: 1:1\ndata: {"encoding":"utf8","data":"a"}\n\n',
      'id: 1:2\ndata: {"encoding":"utf8","data":"b"}\n\nevent: end\ndata: {}\n\n',
    ];
    api.on(`GET /tasks/${id}/logs`, () => new Response(parts.shift()));
    expect(await run("logs", id, "-f")).toMatchObject({ code: 0, out: "ab", err: "" });
  });

  it("follows the labelled logs of an application that has parts", async () => {
    api.on(`GET /tasks/${id}`, () => task(2, "order-service"));
    api.on(
      `GET /tasks/${id}/logs`,
      ({ headers }) =>
        headers.get("accept") === "text/event-stream"
          ? problem(400, "log.parts", "It has parts.")
          : new Response("==> n1 <==\nhello\n"),
    );
    expect(await run("logs", id, "-f")).toMatchObject({ code: 0, out: "==> n1 <==\nhello\n" });
    expect((await run("logs", id, "-f", "--json")).out).toBe('{"encoding":"utf8","data":"==> n1 <==\\nhello\\n"}\n');
  });

  it("prints as JSON what is no text without losing a byte", async () => {
    api.on(`GET /tasks/${id}`, () => task(2, "order-service"));
    api.on(`GET /tasks/${id}/logs`, () => new Response(Uint8Array.of(0xff, 0x00)));
    expect(JSON.parse((await run("logs", id, "--json")).out)).toEqual({ encoding: "base64", data: "/wA=" });
  });

  it("says what is wrong with a name that is neither", async () => {
    expect(await run("logs", "order")).toMatchObject({
      code: 2,
      err: '"order" is neither a task\'s id nor DEPLOYMENT/APPLICATION.\n',
    });
  });
});
