/**
 * The ticket that a dispatch brings: good for the files of that dispatch, and for nothing else. Whoever tries more with
 * it is an agent, or has stolen from one, so that is written down.
 */
import { errors, jwtVerify } from "jose";
import { AppError } from "../domain/app_error.ts";
import { findHolder } from "../db/agents/find_holder.ts";
import { noteAgent } from "../db/agents/note_agent.ts";
import type { ApiDeps } from "./deps.ts";
import { limit } from "./middleware/rate_limit.ts";

const AUDIENCE = "boreas.blob";
/** Per minute from one address: more is refused and not written down any more. */
const TRESPASSES_NOTED = 30;

export interface BlobTicket {
  sha: string[];
  taskId: string;
}

/** @returns what a ticket of ours opens; undefined for anything else, which may be somebody's sign-in */
export async function readTicket(
  deps: Pick<ApiDeps, "keys" | "clock">,
  ticket: string,
): Promise<BlobTicket | "expired" | undefined> {
  if (deps.keys.blobTicket.length < 32) throw new Error("the key for blob tickets has less than 32 bytes");
  try {
    const { payload } = await jwtVerify(ticket, deps.keys.blobTicket, {
      algorithms: ["HS256"],
      audience: AUDIENCE,
      requiredClaims: ["exp", "sha"],
      currentDate: deps.clock.now(),
    });
    const sha = Array.isArray(payload.sha) ? payload.sha.filter((one) => typeof one === "string") : [];
    return { sha, taskId: typeof payload.taskId === "string" ? payload.taskId : "" };
  } catch (error: unknown) {
    if (error instanceof errors.JWTExpired) return "expired";
    if (error instanceof errors.JOSEError || error instanceof SyntaxError || error instanceof TypeError) {
      return undefined;
    }
    throw error;
  }
}

/** @param what the call that the ticket does not open */
export async function noteTrespass(deps: ApiDeps, { taskId }: BlobTicket, ip: string, what: string): Promise<void> {
  await limit(deps.limiter, `trespass:${ip}`, TRESPASSES_NOTED, 60);
  const agent = await findHolder(deps.db, taskId);
  if (agent) await noteAgent(deps.db, { ...agent, ip, action: "agent.trespass", detail: { what, taskId } });
}

export const ticketRefusal = (): AppError =>
  new AppError(
    "forbidden",
    "auth.ticket",
    "The ticket of a dispatch opens the files of that dispatch and nothing else.",
  );
