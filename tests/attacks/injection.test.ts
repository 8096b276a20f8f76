/**
 * S30 and S31: what somebody types never becomes a command or an option. Refused where it comes in, or inert to the end:
 * what is accepted is deployed for real, and the file that a payload would make is looked for.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planStages } from "../../domain/strategy.ts";
import { createGit } from "../../host/git.ts";
import { ApplicationConfig } from "../../protocol/config_file.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import { createPmFixture, operationOf, specOf } from "../helpers/pm_fixture.ts";
import type { PmFixture } from "../helpers/pm_fixture.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { SECRET } from "../helpers/webhook_samples.ts";

const db = await createTestDatabase();
const folder = await Deno.makeTempDir({ prefix: "boreas-s30-" });
const canary = `${folder}/pwn`;
const isPwned = () => Deno.stat(canary).then(() => true, () => false);
let api: TestApi;
let pm: PmFixture;
beforeAll(async () => {
  api = await createTestApi(db, { planners: { mock: planStages, pm: planStages } });
  pm = await createPmFixture();
});
afterAll(async () => {
  await pm.close();
  await Deno.remove(folder, { recursive: true });
});

const PAYLOADS: Record<string, string> = {
  ";": `x;touch ${canary};`,
  "$()": `x$(touch ${canary})`,
  "a backtick": `x\`touch ${canary}\``,
  "|": `x|touch ${canary}|`,
  "&": `x&touch ${canary}&`,
  "a newline": `x\ntouch ${canary}\n`,
  "CR": `x\r\ntouch ${canary}\r\n`,
  "a quote": `x'"';touch ${canary};'`,
  "#": `x#\ntouch ${canary} #`,
  "NUL": `x\0;touch ${canary}`,
  "%0a": `x%0atouch ${canary}%0a`,
  "${IFS}": `x;touch\${IFS}${canary};`,
};
const names = Object.keys(PAYLOADS);

type Ask = (text: string) => [method: string, path: string, body: unknown];
let count = 0;
const application = (config: unknown): [string, string, unknown] => [
  "POST",
  "/applications",
  { name: `s30-${++count}`, config },
];
const repository = (more: Record<string, unknown>): [string, string, unknown] => [
  "POST",
  "/repositories",
  { url: `https://git.example.com/s30/${++count}.git`, provider: "github", webhookSecret: SECRET, ...more },
];
const docker = (more: Record<string, unknown>) => application({ runtime: { docker: { image: "image", ...more } } });
const version = (more: Record<string, unknown>): [string, string, unknown] => [
  "POST",
  "/versions",
  { version: `s30-${++count}`, ...more },
];
/** The 14 fields; each takes a payload to the place where it comes in. */
const FIELDS: Record<string, Ask> = {
  app: (text) => ["POST", "/applications", { name: text }],
  branch: (branch) => repository({ branch }),
  tag: (gitTag) => version({ version: gitTag, gitTag }),
  URL: (text) => repository({ url: `https://git.example.com/${text}.git` }),
  image: (image) => version({ appBuilds: { "s30-builds": { image } } }),
  container: (text) => docker({ command: [text] }),
  "env key": (key) => application({ config: { env: { [key]: "x" } } }),
  "env value": (LEVEL) => application({ config: { env: { LEVEL } } }),
  port: (text) => docker({ ports: { [text]: 80 } }),
  volume: (text) => docker({ volumes: [`${text}:/inside`] }),
  "health check": (text) => application({ health: [{ exec: [text] }, { http: { port: "http", path: `/${text}` } }] }),
  registry: (text) => application({ artifacts: { image: { ref: `${text}.example.com/x`, tag: "1" } } }),
  node: (text) => application({ nodes: { names: [text] } }),
  "script args": (text) => application({ runtime: { script: { deploy: text } } }),
};
/** What is a name to others as well is never taken as it comes. */
const REFUSED = ["app", "tag", "env key", "port"];

describe("S30: an injection", () => {
  it("S30: has 14 fields and 12 payloads", () => {
    expect([Object.keys(FIELDS).length, names.length]).toEqual([14, 12]);
  });

  it.each(Object.keys(FIELDS))("S30: into %s is refused or kept as text, and nothing runs", async (field) => {
    await api.request("POST", "/applications", { name: "s30-builds" });
    for (const name of names) {
      const [method, path, body] = FIELDS[field]!(PAYLOADS[name]!);
      const answer = await api.request(method, path, body);
      expect([200, 201, 400], `${field} with ${name}: ${JSON.stringify(answer.body)}`).toContain(answer.status);
      if (REFUSED.includes(field) || name === "NUL") expect(answer.status, `${field} with ${name}`).toBe(400);
      if (answer.status === 400) expect(answer.body.detail).not.toBe("");
    }
    expect(await isPwned()).toBe(false);
  });

  // What the grammar lets through is what a program may well want to hear: it must hear just that.
  it.each(names)("S30: with %s is deployed as text: argument, variable, check, file name and version", async (name) => {
    const payload = PAYLOADS[name]!;
    const heard = `${folder}/heard`;
    const isText = !payload.includes("\0");
    const config = { config: { env: { LEVEL: payload } }, health: [{ exec: ["/bin/true", payload] }] };
    expect(ApplicationConfig.safeParse(config).success).toBe(isText);
    if (!isText) return;
    const script = `#!/bin/sh\nprintf '%s' "$1" > ${heard}\nprintf '%s' "$LEVEL" >> ${heard}\nexec sleep 600\n`;
    const bin = await pm.freeze({ app: { text: script, mode: 0o755 } });
    const spec = specOf({ mode: "binary", artifact: "bin", exec: ["./app", payload] }, {
      application: "inert",
      artifacts: { bin },
      env: { LEVEL: payload },
      health: [{ exec: ["/bin/true", payload] }],
    });
    const said = { app: "inert", version: "v;1", versionId: crypto.randomUUID(), commit: payload };
    const outcome = await pm.operator.run(operationOf(spec, said), pm.context());
    if (name === "${IFS}") {
      // A placeholder that there is none of is refused by its name.
      expect([outcome.status, outcome.message]).toEqual(["failed", expect.stringContaining("asks for ${IFS}")]);
      expect(await isPwned()).toBe(false);
      return;
    }
    expect(outcome.status, outcome.message).toBe("success");
    await expect.poll(() => Deno.readTextFile(heard).catch(() => "")).toBe(payload + payload);

    // A script's own path may hold most of it, and still is one file.
    const path = `ops/${payload.replaceAll("/", "_").replaceAll(/[\r\n\\]/g, "_")}.sh`;
    const bundle = await pm.freeze({ [path]: { text: "#!/bin/sh\necho deployed\n", mode: 0o755 } });
    const scripted = specOf({ mode: "script", deploy: path }, { application: "scripted", bundle });
    const ran = await pm.operator.run(operationOf(scripted, { app: "scripted", commit: payload }), pm.context());
    expect(ran.status, ran.message).toBe("success");
    expect(await isPwned()).toBe(false);
  });

  it("S30: a branch whose name Git itself allows is fetched by that name, and nothing runs", async () => {
    const branch = PAYLOADS["${IFS}"]!.replaceAll("/", "_");
    const source = await createGitRemote();
    const commit = await source.push({ a: "1" }, { branch });
    const git = createGit({ gitPath: "/usr/bin/git", cacheDir: `${folder}/mirrors`, allowFile: true });
    const remote = { repositoryId: "r30", url: source.url, credential: null, tokenUser: "token" };
    await git.fetch(remote, [`refs/heads/${branch}`]);
    expect(await git.resolve("r30", `refs/heads/${branch}`)).toBe(commit);
    expect(await isPwned()).toBe(false);
  });

  it("S30: the trap was armed: a shell that is given a payload does run it", async () => {
    await new Deno.Command("sh", { args: ["-c", `echo ${PAYLOADS["$()"]}`], stdout: "null" }).output();
    expect(await isPwned()).toBe(true);
    await Deno.remove(canary);
  });
});

const DASHES = ["--upload-pack=touch x", "-oProxyCommand=touch x", "--output=/tmp/x", "-x", "--"];

describe("S31: a leading dash", () => {
  it.each(DASHES)("S31: %s is refused as ref, address, path, image and script", async (dash) => {
    const asks: Ask[] = [
      (text) => repository({ branch: text }),
      (text) => repository({ url: text }),
      (text) => repository({ configPaths: [text] }),
      (text) => version({ version: text }),
      (text) => application({ bundle: [text] }),
      (text) => application({ artifacts: { local: { path: text } } }),
      (text) => application({ artifacts: { image: { ref: text, tag: "1" } } }),
      (text) => application({ artifacts: { image: { ref: "reg.example.com/x", tag: text } } }),
      (text) => application({ runtime: { script: { deploy: text } } }),
      (text) => application({ config: { files: [{ from: text, to: "x" }] } }),
      (text) => ["POST", "/deployments/preview", {
        repositoryId: crypto.randomUUID(),
        environmentId: crypto.randomUUID(),
        commit: text,
      }],
      (text) => ["GET", `/commits/${encodeURIComponent(text)}/deployments`, undefined],
    ];
    for (const [index, ask] of asks.entries()) {
      const [method, path, body] = ask(dash);
      expect((await api.request(method, path, body)).status, `place ${index}`).toBe(400);
    }
  });

  it("S31: git gets every operand behind -- or --end-of-options, whatever it is asked", async () => {
    const spied = `${folder}/argv`;
    const program = `${folder}/git`;
    await Deno.writeTextFile(program, `#!/bin/sh\n{ printf '%s\\037' "$@"; echo; } >> ${spied}\nexec git "$@"\n`, {
      mode: 0o755,
    });
    const source = await createGitRemote();
    const first = await source.push({ a: "1" });
    const last = await source.push({ a: "2" });
    const git = createGit({ gitPath: program, cacheDir: `${folder}/mirrors`, allowFile: true });
    const remote = { repositoryId: "r1", url: source.url, credential: null, tokenUser: "token" };
    await git.lsRemote(remote);
    await git.fetch(remote, ["refs/heads/main"]);
    await git.resolve("r1", last);
    await git.commitInfo("r1", last);
    await git.log("r1", first, last, { skip: 0, limit: 5 });
    await git.isAncestor("r1", first, last);
    await git.diffNames("r1", first, last);
    expect((await git.containing("r1", first, [last])).size).toBe(1);
    await git.readObjects("r1", (await git.listFiles("r1", last)).map((file) => file.object), 1000);

    const operands = [source.url, first, last, "refs/heads/main", `${folder}/mirrors/r1.git`];
    const calls = (await Deno.readTextFile(spied)).trim().split("\n").map((line) => line.split("\x1f"));
    expect(calls.length).toBeGreaterThanOrEqual(10);
    for (const argv of calls) {
      const end = argv.findIndex((word) => word === "--" || word === "--end-of-options");
      for (const [at, word] of argv.entries()) {
        if (operands.some((operand) => word === operand || word.startsWith(`${operand}^`))) {
          expect(end >= 0 && end < at, argv.join(" ")).toBe(true);
        }
      }
    }
  });
});
