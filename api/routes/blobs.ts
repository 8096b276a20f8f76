/** Frozen files, for the agent that was told to deploy them and for people who may deploy. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { AppError } from "../../domain/app_error.ts";
import { blobSize, readBlobChunks } from "../../db/blobs/read_blob.ts";
import { noteTrespass, readTicket } from "../blob_ticket.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { pullStream } from "../live/pull_stream.ts";
import { authenticate } from "../middleware/authenticate.ts";
import { baseOf } from "../../domain/roles.ts";
import { isAllowed } from "../permissions.ts";
import { createRouter, problemResponses } from "../route.ts";

const get = createRoute({
  method: "get",
  path: "/blobs/{sha256}",
  tags: ["agents"],
  summary: "The bytes of a blob, with the ticket of a dispatch that names it",
  request: { params: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hex") }) },
  responses: {
    200: {
      description: "The bytes",
      content: { "application/octet-stream": { schema: z.string().meta({ format: "binary" }) } },
    },
    ...problemResponses,
  },
});

export function blobRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  router.openapi(get, async (c) => {
    const { sha256 } = c.req.valid("param");
    await checkTicket(deps, c, sha256);
    const size = await blobSize(deps.db, sha256);
    if (size === undefined) throw new AppError("not_found", "blob.not_found", `There is no blob ${sha256}.`);
    const body = pullStream(() => {
      const chunks = readBlobChunks(deps.db, sha256);
      return {
        next: async () => (await chunks.next()).value ?? undefined,
        close: () => void chunks.return(undefined),
      };
    });
    return c.body(body, 200, { "Content-Type": "application/octet-stream", "Content-Length": String(size) });
  });
  return router;
}

/** A ticket opens the blobs that it names; without one the caller must be somebody who may deploy. */
async function checkTicket(deps: ApiDeps, c: Context<ApiEnv>, sha256: string): Promise<void> {
  const [, ticket] = c.req.header("authorization")?.match(/^Bearer +(\S+)$/i) ?? [];
  const named = ticket ? await readTicket(deps, ticket) : undefined;
  if (named === undefined) {
    const { actor } = await authenticate(deps, c);
    if (isAllowed("deployer", baseOf(actor))) return;
    throw new AppError("forbidden", "auth.role", `${actor.name} is ${actor.role} here; this needs deployer.`);
  }
  if (named === "expired") {
    throw new AppError("unauthenticated", "blob.expired", "This ticket has expired; a new dispatch brings a new one.");
  }
  if (!named.sha.includes(sha256)) {
    await noteTrespass(deps, named, c.get("peer"), `blob ${sha256}`);
    throw new AppError("forbidden", "blob.other", "This ticket is for the files of another task.");
  }
}
