/** The API on a real database, without a port: everything around it is quiet and small. */
import { createApp } from "../../api/create_app.ts";
import type { ApiDeps } from "../../api/deps.ts";
import { createMemoryLimiter } from "../../api/middleware/rate_limit.ts";
import { makeSecretText, sha256 } from "../../api/secret_text.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import type { Actor, Database } from "../../db/database.ts";
import { createHints } from "../../db/hints.ts";
import { createVault } from "../../db/secrets/vault.ts";
import { createToken } from "../../db/tokens/create_token.ts";
import { hashPassword } from "../../db/users/hash_password.ts";
import { reasonsZh } from "../../web/i18n/reasons_zh.ts";
import type { Clock, LogLevel } from "../../domain/ports.ts";

export const TEST_PASSWORD = "correct horse battery";
const ROLES = ["admin", "deployer", "viewer"] as const;
type Role = (typeof ROLES)[number];

export interface TestAnswer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- a test reads whatever it expects
  body: any;
}

export interface TestApi {
  app: ReturnType<typeof createApp>;
  deps: ApiDeps;
  /** API tokens. The users are called `admin`, `deployer`, `viewer`, with TEST_PASSWORD. */
  tokens: Record<Role, string>;
  actors: Record<Role, Actor>;
  /** What the process would have logged. */
  logged: { level: LogLevel; message: string; context: Record<string, unknown> }[];
  /**
   * @param path below /api/v1, or a whole address (`http://localhost/v1/health`)
   * @param as a role, a token, or null for nobody; admin when absent
   */
  request(
    method: string,
    path: string,
    body?: unknown,
    as?: Role | string | null,
    headers?: Record<string, string>,
  ): Promise<TestAnswer>;
}

export async function createTestApi(db: Database, overrides: Partial<ApiDeps> = {}): Promise<TestApi> {
  const logged: TestApi["logged"] = [];
  const clock = systemClock();
  const deps: ApiDeps = {
    db,
    hints: createHints(),
    vault: await createVault(crypto.getRandomValues(new Uint8Array(32))),
    clock,
    logger: { log: (level, message, context = {}) => void logged.push({ level, message, context }) },
    keys: { jwt: randomKey(), blobTicket: randomKey() },
    masterId: "test-master",
    publicUrl: "http://localhost:8080",
    limiter: createMemoryLimiter(clock),
    planners: {},
    secureCookies: false,
    allowFileRepositories: true,
    ready: () =>
      Promise.resolve({
        ready: true,
        database: { kind: "embedded", ok: true, detail: "" },
        redis: { inUse: false, ok: true, detail: "" },
        scheduler: { running: true, lastSweepSecondsAgo: 0 },
        web: false,
      }),
    metrics: () => "boreas_up 1\n",
    webFile: () => Promise.resolve(undefined),
    checkOutgoing: () => Promise.resolve([]),
    productVersion: "0.0.0-test",
    reasonsZh,
    ...overrides,
  };
  const app = createApp(deps);
  const passwordHash = await hashPassword(TEST_PASSWORD);
  const tokens = {} as Record<Role, string>;
  const actors = {} as Record<Role, Actor>;
  for (const role of ROLES) {
    actors[role] = await insertUser(db, role, passwordHash);
    tokens[role] = makeSecretText("bor_");
    const hash = await sha256(tokens[role]);
    await createToken(db, { userId: actors[role].userId!, name: role, role, hash }, actors[role]);
  }
  return {
    app,
    deps,
    tokens,
    actors,
    logged,
    async request(method, path, body, as = "admin", headers = {}) {
      const token = as === null ? undefined : as in tokens ? tokens[as as Role] : as;
      const response = await app.request(path.startsWith("/") ? `/api/v1${path}` : path, {
        method,
        headers: {
          ...(token && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.includes("json");
      return { status: response.status, headers: response.headers, body: isJson && text ? JSON.parse(text) : text };
    },
  };
}

async function insertUser(db: Database, role: Role, passwordHash: string): Promise<Actor> {
  const userId = db.newId();
  await db.sql`insert into app_user (id, username, password_hash) values (${userId}, ${role}, ${passwordHash})`;
  await db.sql`insert into member (project_id, user_id, role) values (${DEFAULT_PROJECT}, ${userId}, ${role})`;
  return { userId, name: role, role, ip: null, projectId: DEFAULT_PROJECT };
}

const randomKey = () => crypto.getRandomValues(new Uint8Array(32));

function systemClock(): Clock {
  return {
    now: () => new Date(),
    monotonic: () => performance.now(),
    after(milliseconds, call) {
      const timer = setTimeout(call, milliseconds);
      return { cancel: () => clearTimeout(timer) };
    },
  };
}
