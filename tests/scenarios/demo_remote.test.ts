import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseConfigFile } from "../../protocol/config_file.ts";
import { WEBHOOK_PROVIDERS } from "../../protocol/webhooks/providers.ts";
import { runDemo } from "../../scripts/demo/demo.ts";
import { createGitRemote, SERVICES } from "../../scripts/demo/git_remote.ts";
import { createTimeline } from "../../scripts/demo/timeline.ts";

const template = join(import.meta.dirname!, "../../examples/demo");
const SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const { generic } = WEBHOOK_PROVIDERS;

interface Hook {
  path: string;
  header: (name: string) => string | undefined;
  body: Uint8Array<ArrayBuffer>;
}
let folder: string;
let hooks: Hook[];
let receiver: Deno.HttpServer<Deno.NetAddr>;
let answer: () => Response;
beforeEach(async () => {
  folder = await Deno.makeTempDir();
  hooks = [];
  answer = () => new Response(null, { status: 202 });
  receiver = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const headers = new Headers(request.headers);
    const body = new Uint8Array(await request.arrayBuffer());
    hooks.push({ path: new URL(request.url).pathname, header: (name) => headers.get(name) ?? undefined, body });
    return answer();
  });
});
afterEach(async () => {
  await receiver.shutdown();
  await Deno.remove(folder, { recursive: true });
});
const makeRemote = async (secret = SECRET) => {
  const remote = await createGitRemote({
    folder: join(folder, "remote"),
    template,
    addressBook: join(folder, "addresses"),
  });
  await remote.hookTo(`http://127.0.0.1:${receiver.addr.port}/webhook/generic/7`, secret);
  return remote;
};
const read = (hook: Hook) => generic.read(JSON.parse(new TextDecoder().decode(hook.body)), hook.header, hook.body);
const verify = (hook: Hook, secret: string) =>
  generic.verify({ body: hook.body, header: hook.header, secret, now: new Date() });
const git = async (...args: string[]) => {
  const { stdout } = await new Deno.Command("git", { args, cwd: join(folder, "remote/shop.git") }).output();
  return new TextDecoder().decode(stdout).trim();
};

describe("the demo's Git remote", () => {
  it("signs a webhook for every push, as the registered secret demands", async () => {
    const remote = await makeRemote();
    const { commit, output } = await remote.push("v1");
    expect(output).toContain("boreas: told http://127.0.0.1:");
    expect(hooks.map((h) => h.path)).toEqual(["/webhook/generic/7"]);
    expect(read(hooks[0]!)).toMatchObject([{ ref: "refs/heads/main", commit }]);
    expect(verify(hooks[0]!, SECRET)).toBe(true);
    expect(verify(hooks[0]!, SECRET.replace("MDEy", "MDEz"))).toBe(false);
    expect(await git("rev-parse", "main")).toBe(commit);
  });

  it("signs with a secret that is plain text too", async () => {
    const remote = await makeRemote("sixteen characters and more");
    await remote.push("v1");
    expect(verify(hooks[0]!, "sixteen characters and more")).toBe(true);
  });

  it("pushes services that differ in their edition, one of them broken where asked", async () => {
    const remote = await makeRemote();
    await remote.push("v1");
    const { commit } = await remote.push("v3", "order-service");
    for (const service of SERVICES) {
      const source = await git("show", `${commit}:services/${service}/server.ts`);
      expect(source).toContain(`EDITION = "v3"`);
      expect(source).toContain(`HEALTHY = ${service !== "order-service"}`);
    }
    const config = await git("show", `${commit}:boreas.yaml`);
    const { documents, problems } = parseConfigFile("boreas.yaml", config);
    expect(problems).toEqual([]);
    expect(documents.map((d) => d.name ?? d.kind)).toEqual(["Plan", ...SERVICES]);
    expect(config).toContain(`ADDRESS_BOOK: ${join(folder, "addresses")}`);
  });

  it("tells of a commit once more under a new delivery id", async () => {
    const remote = await makeRemote();
    const { commit } = await remote.push("v1");
    await remote.tellAgain(commit);
    const [first, again] = hooks.map((h) => read(h)[0]!);
    expect(again).toEqual({ ...first, deliveryKey: again!.deliveryKey });
    expect(again!.deliveryKey).not.toBe(first!.deliveryKey);
  });

  it("keeps the push and says why when Boreas does not take the webhook", async () => {
    const remote = await makeRemote();
    answer = () => Response.json({ detail: "Unknown repository." }, { status: 404 });
    const { commit, output } = await remote.push("v1");
    expect(output).toContain("Unknown repository.");
    expect(await git("rev-parse", "main")).toBe(commit);
    await expect(remote.tellAgain(commit)).rejects.toThrow("Unknown repository.");
  });

  it("goes on with the history of an earlier run", async () => {
    const first = await (await makeRemote()).push("v1");
    const second = await (await makeRemote()).push("v1");
    expect(await git("rev-parse", `${second.commit}^`)).toBe(first.commit);
  });
});

describe("the demo", () => {
  it("refuses an argument it does not know with one sentence, and starts nothing", async () => {
    let written = "";
    expect(await runDemo(["--brake=user-service"], (text) => written += text)).toBe(2);
    expect(written).toBe(
      "Unknown argument --brake=user-service; there is --keep, --end=FOLDER and --break=user-service|order-service|payment-service.\n",
    );
  });

  it("says in one sentence that git is missing", async () => {
    const module = join(import.meta.dirname!, "../../scripts/demo/git_remote.ts");
    const options = { folder, template, addressBook: folder };
    const script = `import { createGitRemote } from ${JSON.stringify(module)};
      await createGitRemote(${JSON.stringify(options)}).catch((error) => console.log(error.message));`;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", script],
      env: { PATH: "/nowhere" },
    })
      .output();
    expect(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)).toBe(
      "This machine has no git, which the demo pushes with. Install git and run it again.\n",
    );
  });
});

describe("the timeline", () => {
  it("says when each step began, how long it took and what came of it, and which one did not end", async () => {
    let now = 0;
    let written = "";
    const timeline = createTimeline((text) => written += text, () => now);
    await timeline.step("push", () => Promise.resolve(now += 1500), () => "v1");
    await expect(timeline.step("wait", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(timeline.current()).toBe("wait");
    expect(timeline.summary()).toContain("   0.00 s     1.50 s  push  v1\n");
    expect(written).toContain("   1.50 s  wait ...\n");
  });
});
