/**
 * The page behind a link of `db/approvals/make_links.ts`. Reading it changes nothing: chats and mail scanners fetch every
 * link. The form on it acts. The grant is in the query, which no log of ours writes down.
 */
import { Hono } from "hono";
import { html } from "hono/html";
import { readGrant } from "../../db/approvals/make_links.ts";
import { readLink, useLink, whyDead } from "../../db/approvals/use_link.ts";
import type { LinkRow } from "../../db/approvals/use_link.ts";
import { AppError } from "../../domain/app_error.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { limit } from "../middleware/rate_limit.ts";

/** Per minute from one address. */
const PAGES = 60;
const MAX_FORM_BYTES = 16 * 1024;
const MAX_NOTE = 2000;

type Html = ReturnType<typeof html>;
const page = (title: string, body: Html) =>
  html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <title>${title} · Boreas</title>
        <link rel="stylesheet" href="/docs/docs.css">
      </head>
      <body><h1>${title}</h1>${body}</body>
    </html>
  `;

const ask = (link: LinkRow) =>
  page(
    `${link.version} to ${link.environment}`,
    html`
      <p>${link.says}</p>
      <dl>
        <dt>Applications</dt>
        <dd>${link.applications.join(", ")}</dd>
        <dt>Commit</dt>
        <dd><code>${link.commit ?? "unknown"}</code></dd>
        <dt>You answer as</dt>
        <dd><b>${link.username}</b></dd>
      </dl>
      <form method="post">
        <p><label>Note <input name="note" maxlength="${MAX_NOTE}"></label></p>
        <p><button name="decision" value="approve">Approve</button> <button name="decision" value="reject">Reject</button></p>
      </form>
      <p><a href="/deployments/${link.deploymentId}">Look at the deployment</a> (asks you to sign in)</p>
    `,
  );

export function approvalPage(deps: ApiDeps): Hono<ApiEnv> {
  const read = async (grant: string) => {
    const id = readGrant(deps.keys.blobTicket, grant);
    return id === undefined ? undefined : await readLink(deps.db.sql, id);
  };
  return new Hono<ApiEnv>()
    .use("/approve", async (c, next) => {
      await limit(deps.limiter, `approve:${c.get("peer")}`, PAGES, 60);
      await next();
    })
    .get("/approve", async (c) => {
      const link = await read(c.req.query("link") ?? "");
      const dead = whyDead(link);
      if (dead) return c.html(page("This link does nothing", html`<p>${dead}</p>`), 410);
      return c.html(ask(link!));
    })
    .post("/approve", async (c) => {
      if (Number(c.req.header("content-length") ?? MAX_FORM_BYTES + 1) > MAX_FORM_BYTES) {
        throw new AppError("too_large", "request.too_large", "A note has 2000 characters at most.");
      }
      const link = await read(c.req.query("link") ?? "");
      const form = await c.req.parseBody();
      const decision = form.decision;
      const dead = whyDead(link);
      if (dead || !link) return c.html(page("This link does nothing", html`<p>${dead}</p>`), 410);
      if (decision !== "approve" && decision !== "reject") {
        return c.html(page("Nothing was answered", html`<p>Go back and choose: approve or reject.</p>`), 400);
      }
      try {
        await useLink(deps, link.id, decision, String(form.note ?? "").slice(0, MAX_NOTE), c.get("peer"));
      } catch (error: unknown) {
        if (!(error instanceof AppError)) throw error;
        const status = error.kind === "forbidden" ? 403 : 409;
        return c.html(page("It did not count", html`<p>${error.message}</p>`), status);
      }
      const done = decision === "approve" ? "Approved" : "Rejected";
      const what = html`<p>${link.version} to ${link.environment}, as <b>${link.username}</b>. This link is spent.</p>`;
      return c.html(page(done, what));
    });
}
