import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import https from "node:https";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePorts } from "../helpers/free_ports.ts";
import { docker, findCompose, run } from "../helpers/docker.ts";
import { component, findProgram } from "../helpers/require_component.ts";
import { makeTestImages } from "./test_images.ts";

const root = join(import.meta.dirname!, "../..");
const engine = component("docker");
const compose = engine.available ? await findCompose() : undefined;
const lacks = engine.reason || (compose ? "" : " [needs docker compose]") ||
  (findProgram("debootstrap") ? "" : " [needs debootstrap]");

describe.skipIf(lacks)(`the image and docker-compose.yml${lacks}`, () => {
  const project = `boreas-test-${randomBytes(4).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const [port, webhooks, web] = freePorts(3) as [number, number, number];
  const image = `${project}:latest`;
  let env: Record<string, string> = {};
  let ca = "";

  const up = (...args: string[]) => {
    const [program, ...first] = compose!;
    return run(program!, [...first, "--project-name", project, "--file", join(root, "docker-compose.yml"), ...args], {
      cwd: root,
      env,
    });
  };
  /** The service as somebody reaches it who trusts nothing but the master's own authority. */
  const call = (path: string, options: { port?: number; token?: string; body?: unknown } = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      https.request({
        ca,
        agent: false,
        host: "127.0.0.1",
        port: options.port ?? port,
        path,
        method: options.body ? "POST" : "GET",
        headers: {
          ...(options.body ? { "content-type": "application/json" } : {}),
          ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
        },
      }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => resolve({ status: response.statusCode!, text: Buffer.concat(parts).toString() }));
      }).on("error", reject).end(options.body ? JSON.stringify(options.body) : undefined);
    });

  beforeAll(async () => {
    const images = await makeTestImages();
    env = {
      BASE_IMAGE: images.base,
      POSTGRES_IMAGE: images.postgres,
      REDIS_IMAGE: images.redis,
      BOREAS_IMAGE: image,
      BOREAS_POSTGRES_PASSWORD: randomBytes(12).toString("hex"),
      BOREAS_REDIS_PASSWORD: randomBytes(12).toString("hex"),
      BOREAS_REDIS_TOKEN: randomBytes(24).toString("hex"),
      BOREAS_ADMIN_PASSWORD: password,
      BOREAS_SECRET_KEY: randomBytes(32).toString("base64"),
      BOREAS_PUBLISH: String(port),
      BOREAS_PUBLISH_WEBHOOKS: String(webhooks),
      BOREAS_PUBLISH_WEB: String(web),
      PATH: `${dirname(findProgram("docker")!)}:${Deno.env.get("PATH")}`,
    };
    await up("build", "master");
    try {
      await up("up", "--detach"); // returns when the agent starts: that waits until the master is healthy
    } catch (error: unknown) {
      console.error(await up("logs", "--no-color", "--tail", "50"));
      throw error;
    }
    ca = await run("docker", ["exec", await idOf("master"), "cat", "/data/tls/ca.pem"]);
  }, 900_000);

  afterAll(async () => {
    await up("down", "--volumes", "--timeout", "20");
    await docker(["image", "rm", "--force", image]);
  }, 180_000);

  const idOf = async (service: string) => (await up("ps", "--quiet", service)).trim();

  async function signIn(): Promise<string> {
    const answer = await call("/api/v1/auth/login", { body: { username: "admin", password } });
    expect(answer.status).toBe(200);
    return (JSON.parse(answer.text) as { accessToken: string }).accessToken;
  }

  it("bring up a master on PostgreSQL with Redis in use", async () => {
    const answer = await call("/v1/ready");
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({
      ready: true,
      database: { kind: "server", ok: true },
      redis: { inUse: true, ok: true },
    });
  });

  it("let the administrator sign in", async () => {
    const token = await signIn();
    const me = await call("/api/v1/auth/me", { token });
    expect(me.status).toBe(200);
    expect((await call("/api/v1/auth/me")).status).toBe(401);
  });

  it("connect the agent, which sees of the master's folder its token and the fingerprint alone", async () => {
    const token = await signIn();
    const agents = async () =>
      (JSON.parse((await call("/api/v1/agents", { token })).text) as { items: { embedded: boolean; status: string }[] })
        .items.filter((agent) => !agent.embedded).map(({ status }) => status);
    await expect.poll(agents, { timeout: 60_000 }).toEqual(["connected"]);
    const agent = await idOf("agent");
    await expect(docker(["exec", agent, "sh", "-c", "cat /join/tls/ca.key /join/secret.key"])).rejects.toThrow(
      "No such",
    );
  });

  it("serve the dashboard on both ports, and webhooks alone on theirs", async () => {
    for (const at of [port, web]) expect((await call("/", { port: at })).text).toContain("<html");
    expect((await call("/webhook/github", { port: webhooks, body: {} })).status).toBeLessThan(500);
    expect((await call("/api/v1/auth/me", { port: webhooks })).status).toBe(404);
  });

  it("run nothing as root, and end in an orderly way", async () => {
    const master = await idOf("master");
    expect((await docker(["exec", master, "id", "-u"])).trim()).toBe("10001");
    await up("stop", "--timeout", "30", "master");
    expect((await docker(["inspect", "--format", "{{.State.ExitCode}}", master])).trim()).toBe("0");
  });

  it("alone and without a network, keep a PostgreSQL of its own and survive a kill", async () => {
    const name = `${project}-alone`;
    const healthy = async () => (await docker(["inspect", "--format", "{{.State.Health.Status}}", name])).trim();
    await docker([
      "run",
      "--detach",
      "--network",
      "none",
      "--name",
      name,
      "--env",
      `BOREAS_ADMIN_PASSWORD=${password}`,
      image,
    ]);
    try {
      await expect.poll(healthy, { timeout: 120_000, interval: 500 }).toBe("healthy");
      expect(await docker(["logs", name])).not.toContain("Download");
      await docker(["kill", "--signal", "KILL", name]);
      await docker(["start", name]);
      await expect.poll(healthy, { timeout: 120_000, interval: 500 }).toBe("healthy");
    } catch (error: unknown) {
      console.error(await docker(["logs", "--tail", "50", name]));
      throw error;
    } finally {
      await docker(["rm", "--force", "--volumes", name]);
    }
  }, 300_000);
});
