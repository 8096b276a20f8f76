/**
 * The page behind a link of `db/approvals/make_links.ts`. Reading it changes nothing: chats and mail scanners fetch every
 * link. The form on it acts. The grant is in the query, which no log of ours writes down.
 */
import { Hono } from "hono";
import { html } from "hono/html";
import { readGrant } from "../../db/approvals/make_links.ts";
import { readLink, useLink, whyDead } from "../../db/approvals/use_link.ts";
import type { DeadLink, LinkRow } from "../../db/approvals/use_link.ts";
import { AppError } from "../../domain/app_error.ts";
import { sayReason } from "../../domain/notification_text.ts";
import { sayInstants } from "../../domain/reason_words.ts";
import { APPROVAL_CSS, APPROVAL_WORDS, languageOf } from "../approval_words.ts";
import type { PageLanguage } from "../approval_words.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { limit } from "../middleware/rate_limit.ts";

/** Per minute from one address. */
const PAGES = 60;
const MAX_FORM_BYTES = 16 * 1024;
const MAX_NOTE = 2000;

type Html = ReturnType<typeof html>;
const page = (language: PageLanguage, title: string, body: Html) =>
  html`
    <!doctype html>
    <html lang="${language === "zh" ? "zh-CN" : "en"}">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <title>${title} · Boreas</title>
        <link rel="stylesheet" href="/approve.css">
        <link rel="icon" href="data:,">
      </head>
      <body>
        <main><p class="brand">Boreas</p><h1>${title}</h1>${body}</main>
      </body>
    </html>
  `;

const fill = (template: string, { version, environment, applications, username }: LinkRow) => {
  const named: Record<string, string> = { version, environment, applications: applications.join(", "), name: username };
  return template.replace(/\{(\w+)\}/g, (whole, name) => named[name] ?? whole);
};

function ask(language: PageLanguage, link: LinkRow, says: string) {
  const words = APPROVAL_WORDS[language];
  return page(
    language,
    fill(link.removes ? words.removal : words.title, link),
    html`
      <p>${says}</p>
      <dl>
        <dt>${words.applications}</dt>
        <dd>${link.applications.join(", ")}</dd>
        <dt>${words.commit}</dt>
        <dd><code>${link.commit ?? words.unknown}</code></dd>
        <dt>${words.as}</dt>
        <dd><b>${link.username}</b></dd>
      </dl>
      <form method="post">
        <label>${words.note} <textarea name="note" rows="2" maxlength="${MAX_NOTE}"></textarea></label>
        <p class="actions">
          <button name="decision" value="approve">${words.approve}</button>
          <button name="decision" value="reject">${words.reject}</button>
        </p>
      </form>
      <p><a href="/deployments/${link.deploymentId}">${words.look}</a> <small>(${words.signIn})</small></p>
    `,
  );
}

export function approvalPage(deps: ApiDeps): Hono<ApiEnv> {
  const read = async (grant: string) => {
    const id = readGrant(deps.keys.blobTicket, grant);
    return id === undefined ? undefined : await readLink(deps.db.sql, id);
  };
  const says = (language: PageLanguage, link: LinkRow) =>
    sayInstants(sayReason(link.reason, language === "zh" ? deps.reasonsZh ?? {} : {}), language);
  const tellDead = (language: PageLanguage, dead: DeadLink) => {
    const words = APPROVAL_WORDS[language];
    return page(language, words.dead, html`<p>${words.why[dead]}</p>`);
  };
  return new Hono<ApiEnv>()
    .get("/approve.css", (c) => c.body(APPROVAL_CSS, 200, { "Content-Type": "text/css; charset=utf-8" }))
    .use("/approve", async (c, next) => {
      await limit(deps.limiter, `approve:${c.get("peer")}`, PAGES, 60);
      await next();
    })
    .get("/approve", async (c) => {
      const language = languageOf(c.req.header("accept-language"));
      const link = await read(c.req.query("link") ?? "");
      const dead = whyDead(link);
      if (dead || !link) return c.html(tellDead(language, dead ?? "unknown"), 410);
      return c.html(ask(language, link, says(language, link)));
    })
    .post("/approve", async (c) => {
      if (Number(c.req.header("content-length") ?? MAX_FORM_BYTES + 1) > MAX_FORM_BYTES) {
        throw new AppError("too_large", "request.too_large", "A note has 2000 characters at most.");
      }
      const language = languageOf(c.req.header("accept-language"));
      const words = APPROVAL_WORDS[language];
      const link = await read(c.req.query("link") ?? "");
      const form = await c.req.parseBody();
      const decision = form.decision;
      const dead = whyDead(link);
      if (dead || !link) return c.html(tellDead(language, dead ?? "unknown"), 410);
      if (decision !== "approve" && decision !== "reject") {
        return c.html(page(language, words.unanswered, html`<p>${words.choose}</p>`), 400);
      }
      try {
        await useLink(deps, link.id, decision, String(form.note ?? "").slice(0, MAX_NOTE), c.get("peer"));
      } catch (error: unknown) {
        if (!(error instanceof AppError)) throw error;
        const status = error.kind === "forbidden" ? 403 : 409;
        const why = words.errors[error.code] ?? error.message;
        return c.html(page(language, words.refused, html`<p>${why}</p>`), status);
      }
      return c.html(
        page(
          language,
          words.done[decision],
          html`<p>${fill(link.removes ? words.removalSpent : words.spent, link)}</p>`,
        ),
      );
    });
}
