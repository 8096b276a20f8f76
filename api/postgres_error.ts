/** What PostgreSQL's refusals mean to a caller. One row per code, with its reason; anything else is our mistake. */
import { AppError } from "../domain/app_error.ts";
import type { ErrorKind } from "../domain/app_error.ts";
import { retryableError } from "../db/retryable_errors.ts";

interface PostgresError {
  code: string;
  constraint_name?: string;
  /** Of a socket's error. */
  syscall?: string;
}

/** Unique constraint -> the sentence for the one who came second. */
const TAKEN: Record<string, string> = {
  app_user_username_unique: "There is a user of this name already; choose another username.",
  application_name: "There is an application of this name already; choose another name or change that one.",
  environment_name: "There is an environment of this name already; choose another name or change that one.",
  repository_url: "This repository is registered already; change that one instead.",
  version_once: "This repository has a version of this name already.",
  agent_name: "There is an agent of this name already; choose another name or revoke that one.",
  secret_scope: "There is a secret of this name for this scope already.",
  deployment_lock_application_id_environment_id_pk:
    "Another deployment of the same applications is running in this environment; wait for it or cancel it.",
};

const MEANING: Record<string, { kind: ErrorKind; code: string; message: string }> = {
  // Text with a NUL, which PostgreSQL cannot hold, as text or within JSON.
  "22021": { kind: "invalid", code: "request.nul", message: "A text holds a NUL character; remove it." },
  "22P05": { kind: "invalid", code: "request.nul", message: "A text holds a NUL character; remove it." },
  // An id or a number that its schema let through: refuse it rather than fail.
  "22P02": { kind: "invalid", code: "request.value", message: "A value has the wrong form; check ids and numbers." },
  "22003": { kind: "invalid", code: "request.value", message: "A number is too large." },
  "23503": {
    kind: "conflict",
    code: "in_use",
    message: "Something still refers to this, or what it refers to is gone.",
  },
  // Two transactions met; the loser may simply ask again.
  "40001": { kind: "unavailable", code: "database.busy", message: "Somebody changed the same thing; try again." },
  "40P01": { kind: "unavailable", code: "database.busy", message: "Somebody changed the same thing; try again." },
  // Disk full, read-only, shutting down, starting, too many connections.
  "53100": { kind: "unavailable", code: "database.full", message: "The database's disk is full; nothing was changed." },
  "25006": {
    kind: "unavailable",
    code: "database.read_only",
    message: "The database is read-only; nothing was changed.",
  },
  // The client's own bound: a statement must not outlast the connection's.
  "57014": { kind: "unavailable", code: "database.slow", message: "The database took too long over this; try again." },
  "57P01": { kind: "unavailable", code: "database.away", message: "The database is restarting; try again." },
  "57P02": { kind: "unavailable", code: "database.away", message: "The database is restarting; try again." },
  "57P03": { kind: "unavailable", code: "database.away", message: "The database is starting; try again." },
  "53300": { kind: "unavailable", code: "database.busy", message: "The database has no free connection; try again." },
};
/** Of the driver and the sockets below it: there is no database to talk to. */
const AWAY = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
]);

export function fromPostgresError(thrown: unknown): AppError | undefined {
  if (!hasCode(thrown)) return undefined;
  if (thrown.code === "23505") {
    const sentence = TAKEN[thrown.constraint_name ?? ""] ?? "This exists already.";
    return new AppError("conflict", "exists", sentence, [], thrown);
  }
  // ENOENT of a connect: the server's Unix socket is gone. Of anything else it is a missing file, and our mistake.
  if (AWAY.has(thrown.code) || (thrown.code === "ENOENT" && thrown.syscall === "connect")) {
    return new AppError("unavailable", "database.away", "The database does not answer; try again.", [], thrown);
  }
  const meaning = MEANING[thrown.code];
  if (meaning) return new AppError(meaning.kind, meaning.code, meaning.message, [], thrown);
  // What passes by itself is no mistake of ours, whatever its code; a missing file is.
  const passing = thrown.code === "ENOENT" ? undefined : retryableError(thrown);
  return passing && new AppError("unavailable", "database.away", `The database ${passing.why}; try again.`, [], thrown);
}

const hasCode = (thrown: unknown): thrown is PostgresError =>
  thrown !== null && typeof thrown === "object" && typeof (thrown as { code?: unknown }).code === "string";
