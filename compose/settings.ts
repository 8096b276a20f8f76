/** Environment variables, read once and checked at once: a wrong one stops the start with a sentence that says what to set. */
import { Buffer } from "node:buffer";
import { resolve } from "node:path";
import { LOG_CAP_BYTES } from "../db/logs/append_chunks.ts";
import type { RetentionPolicy } from "../db/retention/policy.ts";
import type { LogLevel } from "../domain/ports.ts";

export type Env = (name: string) => string | undefined;

export interface Settings {
  port: number;
  webhookPort: number | null;
  /** Address to listen on; beyond loopback there is TLS. */
  listen: string;
  publicUrl: string;
  /** How the port speaks: given files, our own authority, or plainly (loopback, or behind a proxy that ends TLS). */
  tls: { kind: "off" } | { kind: "own" } | { kind: "files"; cert: string; key: string };
  dataDir: string;
  databaseUrl: string | null;
  pooler: boolean;
  redis: { url: string; token: string } | null;
  secretKey: Uint8Array | null;
  /** What everything was sealed with before: opened with it, and sealed anew at the start. */
  previousSecretKey: Uint8Array | null;
  /** Folder below which secrets may be kept in files. */
  secretFiles: string | null;
  adminPassword: string | null;
  operators: string[];
  localAgent: boolean;
  allowNetworks: string[];
  allowFileRepositories: boolean;
  leaseSeconds: number;
  sweepSeconds: number;
  pollSeconds: number;
  restartGraceSeconds: number;
  /** Keys of agents that are older are renewed; 0 for never. */
  agentKeyDays: number;
  retention: RetentionPolicy;
  /** Of the log of one attempt. */
  logCapBytes: number;
  logLevel: LogLevel;
  logFormat: "json" | "text";
  /** Only with BOREAS_TEST=1. */
  crashAt: string | null;
}

const KNOWN_OPERATORS = ["mock"];
const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);
/** Values people copy from examples: a signing key that everybody knows is none. */
const SAMPLE = /^(change-?me|secret|example|password|boreas)/i;

export function readSettings(env: Env, terminal: boolean): Settings {
  const port = whole(env, "BOREAS_PORT", 8080, 0, 65_535);
  const listen = env("BOREAS_LISTEN") || (isLoopbackUrl(env("BOREAS_PUBLIC_URL")) ? "127.0.0.1" : "0.0.0.0");
  const databaseUrl = env("DATABASE_URL") || null;
  if (databaseUrl && !/^postgres(ql)?:\/\//.test(databaseUrl)) {
    throw new Error("DATABASE_URL must be a PostgreSQL address such as postgres://user:password@host:5432/boreas.");
  }
  const tls = readTls(env, listen);
  const publicUrl = (env("BOREAS_PUBLIC_URL") || `${tls.kind === "off" ? "http" : "https"}://localhost:${port}`)
    .replace(/\/+$/, "");
  const webhookPort = env("BOREAS_WEBHOOK_PORT") ? whole(env, "BOREAS_WEBHOOK_PORT", 0, 1, 65_535) : null;
  const operators = (env("BOREAS_OPERATORS") ?? "mock").split(",").map((o) => o.trim()).filter(Boolean);
  for (const name of operators) {
    if (!KNOWN_OPERATORS.includes(name)) {
      throw new Error(
        `BOREAS_OPERATORS names "${name}"; this release embeds ${
          KNOWN_OPERATORS.join(", ")
        } only. Machines run their own agent instead.`,
      );
    }
  }
  return {
    port,
    webhookPort,
    listen,
    publicUrl,
    tls,
    dataDir: resolve(env("BOREAS_DATA_DIR") || ".boreas"),
    databaseUrl,
    pooler: env("BOREAS_DATABASE_POOLER") === "1",
    redis: readRedis(env),
    secretKey: readSecretKey(env, databaseUrl !== null),
    previousSecretKey: readKey("BOREAS_SECRET_KEY_PREVIOUS", env("BOREAS_SECRET_KEY_PREVIOUS")),
    secretFiles: env("BOREAS_SECRET_FILES") ? resolve(env("BOREAS_SECRET_FILES")!) : null,
    adminPassword: readAdminPassword(env),
    operators,
    localAgent: env("BOREAS_LOCAL_AGENT") !== "off",
    allowNetworks: (env("BOREAS_ALLOW_NETWORKS") ?? "").split(",").map((n) => n.trim()).filter(Boolean),
    allowFileRepositories: env("BOREAS_ALLOW_FILE_REPOSITORIES") === "1",
    leaseSeconds: whole(env, "BOREAS_LEASE_SECONDS", 30, 1, 3600),
    sweepSeconds: whole(env, "BOREAS_SWEEP_SECONDS", 5, 1, 600),
    pollSeconds: whole(env, "BOREAS_POLL_SECONDS", 5, 1, 3600),
    agentKeyDays: whole(env, "BOREAS_AGENT_KEY_DAYS", 90, 0, 36_500),
    restartGraceSeconds: whole(env, "BOREAS_RESTART_GRACE_SECONDS", 60, 0, 3600),
    retention: {
      days: whole(env, "BOREAS_RETENTION_DAYS", 90, 0, 36_500),
      deployments: whole(env, "BOREAS_RETENTION_DEPLOYMENTS", 500, 0, 1_000_000),
      logDays: whole(env, "BOREAS_RETENTION_LOG_DAYS", 30, 0, 36_500),
      logDeployments: whole(env, "BOREAS_RETENTION_LOG_DEPLOYMENTS", 500, 0, 1_000_000),
      events: whole(env, "BOREAS_RETENTION_EVENTS", 1_000_000, 0, 1_000_000_000),
    },
    logCapBytes: whole(env, "BOREAS_LOG_CAP_BYTES", LOG_CAP_BYTES, 1024, 2 ** 40),
    logLevel: oneOf(env, "BOREAS_LOG_LEVEL", ["DEBUG", "INFO", "WARN", "ERROR"], terminal ? "WARN" : "INFO"),
    logFormat: oneOf(env, "BOREAS_LOG_FORMAT", ["json", "text"], terminal ? "text" : "json"),
    crashAt: env("BOREAS_TEST") === "1" ? env("BOREAS_CRASH_AT") ?? null : null,
  };
}

function isLoopbackUrl(url: string | undefined): boolean {
  if (!url) return true;
  try {
    return LOOPBACK.has(new URL(url).hostname.replace(/^\[|\]$/g, ""));
  } catch (error: unknown) {
    throw new Error(`BOREAS_PUBLIC_URL is no address: ${url}. Write it as https://boreas.example.com.`, {
      cause: error,
    });
  }
}

function readTls(env: Env, listen: string): Settings["tls"] {
  const [cert, key] = [env("BOREAS_TLS_CERT"), env("BOREAS_TLS_KEY")];
  if (cert && key) return { kind: "files", cert, key };
  if (cert || key) throw new Error("Set both BOREAS_TLS_CERT and BOREAS_TLS_KEY, or neither.");
  if (LOOPBACK.has(listen)) return { kind: "off" };
  if (env("BOREAS_TLS") !== "off") return { kind: "own" };
  const publicUrl = env("BOREAS_PUBLIC_URL");
  if (publicUrl?.startsWith("https://") || (publicUrl && isLoopbackUrl(publicUrl))) return { kind: "off" };
  throw new Error(
    "BOREAS_TLS=off beyond loopback needs BOREAS_PUBLIC_URL=https://... (a proxy in front ends TLS): sign-in cookies do not travel over plain http.",
  );
}

function readRedis(env: Env): Settings["redis"] {
  const [url, token] = [env("UPSTASH_REDIS_REST_URL"), env("UPSTASH_REDIS_REST_TOKEN")];
  if (url && token) return { url, token };
  if (url || token) throw new Error("Set both UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or neither.");
  return null;
}

function readSecretKey(env: Env, required: boolean): Uint8Array | null {
  const text = env("BOREAS_SECRET_KEY");
  if (text || !required) return readKey("BOREAS_SECRET_KEY", text);
  throw new Error(
    "With DATABASE_URL, BOREAS_SECRET_KEY must be set to 32 random bytes in base64: openssl rand -base64 32",
  );
}

function readKey(name: string, text: string | undefined): Uint8Array | null {
  if (!text) return null;
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  if (bytes.length < 32 || SAMPLE.test(text) || new Set(bytes).size < 8) {
    throw new Error(`${name} is too weak: it must be 32 random bytes in base64, made by: openssl rand -base64 32`);
  }
  return bytes;
}

function readAdminPassword(env: Env): string | null {
  const password = env("BOREAS_ADMIN_PASSWORD") || null;
  if (password && password.length < 10) {
    throw new Error("BOREAS_ADMIN_PASSWORD is too short: use at least 10 characters.");
  }
  return password;
}

export function whole(env: Env, name: string, otherwise: number, min: number, max: number): number {
  const text = env(name);
  if (!text) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`${name} must be a whole number from ${min} to ${max}, and is "${text}".`);
}

export function oneOf<const T extends string>(env: Env, name: string, values: readonly T[], otherwise: T): T {
  const text = env(name);
  if (!text) return otherwise;
  const value = values.find((v) => v.toLowerCase() === text.toLowerCase());
  if (value) return value;
  throw new Error(`${name} must be one of ${values.join(", ")}, and is "${text}".`);
}
