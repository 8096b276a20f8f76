/** Bringing agents to the version that this master hands out. */
import { createRoute } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { compareReleases } from "../../domain/compare_releases.ts";
import { getAgent } from "../../db/agents/read_agents.ts";
import { cancelUpgrade } from "../../db/upgrades/cancel_upgrade.ts";
import { createUpgrade } from "../../db/upgrades/create_upgrade.ts";
import { getUpgrade, listUpgrades } from "../../db/upgrades/read_upgrades.ts";
import type { Actor } from "../../db/database.ts";
import { Act, Agent, CreateUpgrade, listOf, ListQuery, Upgrade, UpgradeOne } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, optionalJsonBody, problemResponses } from "../route.ts";

const tags = ["agents"];
const one = createRoute({
  method: "post",
  path: "/agents/{id}/upgrade",
  tags,
  summary: "Bring one agent to this master's version",
  request: { params: IdParams, body: optionalJsonBody(UpgradeOne) },
  responses: { 200: json(Agent, "The agent, which now fetches it"), ...problemResponses },
});
const many = createRoute({
  method: "post",
  path: "/agents/upgrade",
  tags,
  summary: "Bring many agents to this master's version: one machine first, then in batches, none after a failure",
  request: { body: optionalJsonBody(CreateUpgrade) },
  responses: { 201: json(Upgrade, "The upgrade, which has begun"), ...problemResponses },
});
const list = createRoute({
  method: "get",
  path: "/agent-upgrades",
  tags,
  summary: "Upgrades of agents, newest first",
  request: { query: ListQuery },
  responses: { 200: json(listOf(Upgrade), "A page"), ...problemResponses },
});
const get = createRoute({
  method: "get",
  path: "/agent-upgrades/{id}",
  tags,
  summary: "One upgrade, with each agent of it",
  request: { params: IdParams },
  responses: { 200: json(Upgrade, "The upgrade"), ...problemResponses },
});
const cancel = createRoute({
  method: "post",
  path: "/agent-upgrades/{id}/cancel",
  tags,
  summary: "Tell no more agents, and those that have not switched yet to leave it",
  request: { params: IdParams, body: optionalJsonBody(Act) },
  responses: { 200: json(Upgrade, "The upgrade afterwards"), ...problemResponses },
});

export function upgradeRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const read = async (actor: Actor, id: string) => {
    const upgrade = await getUpgrade(deps.db, actor.projectId, id);
    if (!upgrade) throw new AppError("not_found", "upgrade.not_found", `There is no upgrade ${id} in this project.`);
    return Upgrade.parse(upgrade);
  };
  const readAgent = async (actor: Actor, id: string) => {
    const agent = await getAgent(deps.db, actor.projectId, id);
    if (!agent) throw new AppError("not_found", "agent.not_found", `There is no agent ${id} in this project.`);
    return Agent.parse(agent);
  };
  /** A master hands out its own agent and no other one. */
  const versionOf = (wanted: string | undefined): string => {
    if (wanted === undefined || wanted === deps.productVersion) return deps.productVersion;
    throw new AppError(
      "conflict",
      "upgrade.version",
      `This master hands out version ${deps.productVersion} only; to have agents run ${wanted}, bring the master there first.`,
    );
  };

  router.openapi(one, async (c) => {
    const actor = actorOf(c);
    const { id } = c.req.valid("param");
    const { version, downgrade } = UpgradeOne.parse(c.req.valid("json") ?? {});
    const to = versionOf(version);
    refuseUnfit(await readAgent(actor, id), to, downgrade);
    await createUpgrade(deps, { version: to, downgrade, batch: 1, ids: [id] }, actor);
    return c.json(await readAgent(actor, id), 200);
  });
  router.openapi(many, async (c) => {
    const actor = actorOf(c);
    const { version, ...wanted } = CreateUpgrade.parse(c.req.valid("json") ?? {});
    const id = await createUpgrade(deps, { version: versionOf(version), ...wanted }, actor);
    return c.json(await read(actor, id), 201);
  });
  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const before = decodeCursor(cursor);
    const rows = await listUpgrades(deps.db, actorOf(c).projectId, { before, limit: limit + 1 });
    return c.json(page(rows, limit, (row) => Upgrade.parse(row)), 200);
  });
  router.openapi(get, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(cancel, async (c) => {
    const actor = actorOf(c);
    const { id } = c.req.valid("param");
    await cancelUpgrade(deps, id, actor);
    return c.json(await read(actor, id), 200);
  });
  return router;
}

/** What a roll-out over many passes over with a word, a person who names one agent is told at once. */
function refuseUnfit(agent: Agent, version: string, downgrade: boolean): void {
  const runs = agent.versions.boreas ?? "";
  const refuse = (code: string, sentence: string) => {
    throw new AppError("conflict", code, sentence);
  };
  if (agent.embedded || agent.status === "revoked") return; // the verb says why
  if (runs === version) refuse("upgrade.already", `${agent.name} runs ${version} already.`);
  if (compareReleases(runs, version) > 0 && !downgrade) {
    refuse(
      "upgrade.newer",
      `${agent.name} runs ${runs}, which is newer than ${version}; ask for a downgrade to go back.`,
    );
  }
  if (agent.status !== "connected") {
    refuse("upgrade.offline", `${agent.name} is not connected; upgrade it when it is back.`);
  }
  if (agent.facts.installed !== true) {
    refuse(
      "upgrade.not_installed",
      `${agent.name} was not installed by the install line, so it cannot replace itself; bring its files there by hand.`,
    );
  }
}
