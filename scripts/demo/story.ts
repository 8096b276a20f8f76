/**
 * The story that the demo tells and the scenario tests check: a machine is bound to an environment, a push becomes
 * running services in the declared order, a bad push goes back by itself. Every step leaves or throws; none sleeps.
 */
import type { ApiClient } from "../../cli/api_client.ts";
import { watchDeployment } from "../../cli/watch_deployment.ts";
import type { Agent, DeploymentWithTasks, Environment, Repository, Version } from "../../protocol/http_api.ts";
import { type GitRemote, type ServiceName, SERVICES } from "./git_remote.ts";
import { StoryError, waitUntil } from "./wait_until.ts";

const AGENT_WITHIN = 30_000;
const DELIVERY_WITHIN = 30_000;
const DEPLOYMENT_WITHIN = 120_000;

export interface Stage {
  api: ApiClient;
  remote: GitRemote;
  environment: Environment;
  repository: Repository;
}

/** What a service says of itself. */
export interface Answer {
  service: ServiceName;
  edition: string;
  startedAt: string;
}

export async function findOrMakeEnvironment(api: ApiClient, name: string): Promise<Environment> {
  const there = (await api.environments()).find((e) => e.name === name);
  if (!there) return await api.createEnvironment({ name, type: "pm" });
  if (there.type !== "pm") {
    throw new StoryError(`There is an environment "${name}" of type ${there.type}; the demo needs one of type pm.`);
  }
  return there;
}

/** A machine that is connected and takes this environment's tasks. Where several do, the services are told to use this one. */
export async function bindMachine(api: ApiClient, environment: Environment, hostname: string): Promise<Agent> {
  const agent = await waitUntil(api, ["agents"], {
    what: "an agent to be connected",
    within: AGENT_WITHIN,
    async found() {
      const there = (await api.agents()).filter((a) => a.status === "connected" && !a.embedded && !a.cordoned);
      return there.find((a) => a.facts.hostname === hostname) ?? there[0];
    },
  });
  const isBound = (a: Agent) => a.environments.some((e) => e.id === environment.id);
  if (!isBound(agent)) {
    await api.updateAgent(agent.id, { environments: [...agent.environments.map((e) => e.id), environment.id] });
  }
  const others = (await api.agents()).filter((a) => a.id !== agent.id && a.status !== "revoked" && isBound(a));
  if (others.length > 0) {
    const appToNodes = Object.fromEntries(SERVICES.map((service) => [service, [agent.name]]));
    await api.updateEnvironment(environment.id, { config: { ...environment.config, appToNodes } });
  }
  return agent;
}

export async function registerRepository(api: ApiClient, remote: GitRemote): Promise<Repository> {
  const secret = `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`;
  const there = (await api.repositories()).find((r) => r.url === remote.url);
  const repository = there
    ? await api.updateRepository(there.id, { webhookSecret: secret })
    // Polling is off: what arrives has come by the webhook.
    : await api.createRepository({ url: remote.url, provider: "generic", webhookSecret: secret, pollSeconds: 0 });
  await remote.hookTo(new URL(repository.webhookPath, `${api.url}/`).href, secret);
  return repository;
}

/** Pushes an edition and follows its deployment to the end, however it ends. */
export async function release(
  { api, remote, repository }: Stage,
  edition: string,
  breaks: ServiceName | undefined,
  say: (line: string) => void,
): Promise<{ commit: string; deployment: DeploymentWithTasks }> {
  const { commit, output } = await remote.push(edition, breaks);
  output.split("\n").filter((line) => line.includes("boreas:")).forEach((line) =>
    say(line.replace(/^remote: /, "").trim())
  );
  const started = await waitUntil(api, ["deployments", "repositories"], {
    what: `a deployment of the commit ${commit.slice(0, 12)}`,
    within: DELIVERY_WITHIN,
    async found() {
      const deployment = (await api.deployments({}, 20)).find((d) => d.version.endsWith(`-${commit.slice(0, 12)}`));
      if (deployment) return deployment;
      const delivery = (await api.deliveries(repository.id, 20)).find((d) => d.commit === commit);
      if (delivery?.status === "failed" || delivery?.status === "ignored") {
        const problems = delivery.problems.map((p) => `  ${p.file}:${p.line}: ${p.message}`);
        throw new StoryError(
          [`The push came to nothing (${delivery.status}): ${delivery.reason.text}`, ...problems].join("\n"),
        );
      }
    },
  });
  const signal = AbortSignal.timeout(DEPLOYMENT_WITHIN);
  try {
    return { commit, deployment: await watchDeployment(api, started.id, { signal, say }) };
  } catch (error: unknown) {
    if (!signal.aborted) throw error;
    const now = await api.deployment(started.id);
    throw new StoryError(
      `Expected the deployment to end within ${DEPLOYMENT_WITHIN / 1000} s; it is ${now.status}: ${now.reason.text}`,
    );
  }
}

/** The three services answer HTTP with this edition. */
export async function expectAnswers({ api, environment }: Stage, edition: string): Promise<Answer[]> {
  const states = await api.environmentStatus(environment.id);
  return await Promise.all(SERVICES.map(async (service) => {
    const state = states.find((s) => s.application === service);
    const port = (state?.details.ports as Record<string, number> | undefined)?.http;
    if (port === undefined) {
      throw new StoryError(
        `Expected the port of ${service} in the environment's status, which says ${JSON.stringify(state ?? null)}.`,
      );
    }
    let answer: Answer;
    try {
      answer = await (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5_000) })).json();
    } catch (error: unknown) {
      throw new StoryError(
        `Expected ${service} to answer on port ${port}: ${error instanceof Error ? error.message : error}`,
      );
    }
    if (answer.service !== service || answer.edition !== edition) {
      throw new StoryError(`Expected ${service} ${edition} on port ${port}, got ${answer.service} ${answer.edition}.`);
    }
    return answer;
  }));
}

/** Each service was started after the one before it had become healthy. */
export function expectOrder(deployment: DeploymentWithTasks, answers: readonly Answer[]): void {
  const tasks = SERVICES.map((service) => deployment.tasks.find((t) => t.parentId === null && t.name === service));
  SERVICES.slice(1).forEach((service, index) => {
    const before = SERVICES[index]!;
    const [earlier, later] = [tasks[index], tasks[index + 1]];
    if (!earlier?.completedAt || !later?.startedAt || later.startedAt < earlier.completedAt) {
      throw new StoryError(
        `Expected ${service} to begin after ${before} was done (${earlier?.completedAt}), it began ${later?.startedAt}.`,
      );
    }
    if (answers[index]!.startedAt >= answers[index + 1]!.startedAt) {
      throw new StoryError(
        `Expected ${service} to be started after ${before}; they say ${answers[index + 1]!.startedAt} and ${
          answers[index]!.startedAt
        }.`,
      );
    }
  });
}

export function expectCompleted(deployment: DeploymentWithTasks): void {
  if (deployment.status !== "completed") {
    throw new StoryError(`Expected the deployment to complete; it is ${deployment.status}: ${deployment.reason.text}`);
  }
}

/** It went back by itself, names this one service and no other as the cause, and its version is marked. */
export async function expectRolledBack(
  { api }: Stage,
  deployment: DeploymentWithTasks,
  breaks: ServiceName,
): Promise<Version> {
  if (deployment.status !== "rolled_back") {
    throw new StoryError(
      `Expected the deployment to be rolled back; it is ${deployment.status}: ${deployment.reason.text}`,
    );
  }
  const failed = deployment.tasks.filter((t) => t.parentId === null && t.type === "deploy" && t.status === "failed");
  if (failed.length !== 1 || failed[0]!.name !== breaks) {
    throw new StoryError(
      `Expected ${breaks} alone to be named as the cause; failed are: ${
        failed.map((t) => t.name).join(", ") || "none"
      }.`,
    );
  }
  const version = await api.version(deployment.versionId);
  if (version.status !== "revert") {
    throw new StoryError(`Expected ${version.version} to be marked revert; it is ${version.status}.`);
  }
  const named = SERVICES.filter((service) => version.reason.text.includes(service));
  if (named.join() !== breaks) {
    throw new StoryError(`Expected the version's reason to name ${breaks} alone; it says: ${version.reason.text}`);
  }
  return version;
}

/** The webhook of a commit comes once more, as a new delivery: it is taken, and nothing is deployed. */
export async function expectNotDeployedAgain({ api, remote, repository }: Stage, commit: string): Promise<string> {
  const known = new Set((await api.deliveries(repository.id)).map((d) => d.id));
  const before = (await api.deployments({}, 50)).map((d) => d.id).join();
  await remote.tellAgain(commit);
  const delivery = await waitUntil(api, ["repositories", "deployments"], {
    what: "the repeated webhook to be worked on",
    within: DELIVERY_WITHIN,
    async found() {
      const fresh = (await api.deliveries(repository.id)).find((d) => !known.has(d.id));
      return fresh && ["processed", "ignored", "failed"].includes(fresh.status) ? fresh : undefined;
    },
  });
  if (delivery.status === "failed") {
    throw new StoryError(`Expected the repeated webhook to be taken; it failed: ${delivery.reason.text}`);
  }
  if ((await api.deployments({}, 50)).map((d) => d.id).join() !== before) {
    throw new StoryError("Expected no deployment of a version that is marked revert; there is a new one.");
  }
  return delivery.reason.text;
}
