/** From what a person types (a name, an id, the beginning of an id) to the thing itself; else a sentence that lists what there is. */
import type {
  Agent,
  Application,
  Deployment,
  Environment,
  Notification,
  Repository,
  Task,
  Token,
  Trigger,
  Version,
} from "../protocol/http_api.ts";
import type { ApiClient } from "./api_client.ts";
import { nearest } from "./arguments.ts";
import { CliError } from "./host.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ID_PART = /^[0-9a-f-]{6,36}$/;
export const isId = (text: string): boolean => UUID.test(text);

function pick<T>(
  kind: string,
  wanted: string,
  all: readonly T[],
  nameOf: (item: T) => string,
  idOf: (item: T) => string,
): T {
  const exact = all.find((item) => nameOf(item) === wanted || idOf(item) === wanted);
  if (exact) return exact;
  const begun = ID_PART.test(wanted) ? all.filter((item) => idOf(item).startsWith(wanted)) : [];
  if (begun.length === 1) return begun[0]!;
  if (begun.length > 1) throw new CliError(`"${wanted}" is the beginning of ${begun.length} ids; write more of it.`);
  const names = all.map(nameOf);
  const near = nearest(wanted, names);
  const there = names.length === 0 ? "there is none yet" : `there is ${names.slice(0, 10).join(", ")}`;
  throw new CliError(`No ${kind} "${wanted}"; ${near ? `did you mean ${near}?` : `${there}.`}`);
}

export const findEnvironment = async (api: ApiClient, wanted: string): Promise<Environment> =>
  pick("environment", wanted, await api.environments(), (e) => e.name, (e) => e.id);

export const findApplication = async (api: ApiClient, wanted: string): Promise<Application> =>
  pick("application", wanted, await api.applications(), (a) => a.name, (a) => a.id);

export const findAgent = async (api: ApiClient, wanted: string): Promise<Agent> =>
  pick("agent", wanted, (await api.agents()).filter((a) => a.status !== "revoked"), (a) => a.name, (a) => a.id);

export const findRepository = async (api: ApiClient, wanted: string): Promise<Repository> =>
  pick("repository", wanted, await api.repositories(), (r) => r.url, (r) => r.id);

export const findNotification = async (api: ApiClient, wanted: string): Promise<Notification> =>
  pick("channel", wanted, await api.notifications(), (n) => n.name, (n) => n.id);

/** Several people may each have one of a name. */
export async function findToken(api: ApiClient, wanted: string): Promise<Token> {
  const all = await api.tokens();
  const named = all.filter((token) => token.name === wanted);
  if (named.length > 1) {
    const ids = named.map((token) => `  ${token.id}  ${token.username}`);
    throw new CliError([`${named.length} tokens are called "${wanted}"; name one by its id:`, ...ids].join("\n"));
  }
  return pick("token", wanted, all, (token) => token.name, (token) => token.id);
}

/** Two repositories may each have one of a name, and so may a person. */
export async function findTrigger(api: ApiClient, wanted: string): Promise<Trigger> {
  const all = await api.triggers();
  const named = all.filter((t) => t.name === wanted);
  if (named.length > 1) {
    const ids = named.map((t) => `  ${t.id}  ${t.source === "file" ? t.repository : t.createdBy}`);
    throw new CliError([`${named.length} triggers are called "${wanted}"; name one by its id:`, ...ids].join("\n"));
  }
  return pick("trigger", wanted, all, (t) => t.name, (t) => t.id);
}

/** Names are unique within a repository only: a name that several have must be told apart by its id. */
export async function findVersion(api: ApiClient, wanted: string): Promise<Version> {
  if (isId(wanted)) return await api.version(wanted);
  const all = await api.versions({}, 1_000);
  const named = all.filter((v) => v.version === wanted);
  if (named.length > 1) {
    const ids = named.map((v) => `  ${v.id}  ${v.repository ?? "no repository"}`);
    throw new CliError(
      [`${named.length} repositories have a version "${wanted}"; name it by its id:`, ...ids].join("\n"),
    );
  }
  return named[0] ?? pick("version", wanted, all, (v) => v.version, (v) => v.id);
}

/** An id or its beginning; `latest` is the newest deployment. */
export async function findDeployment(api: ApiClient, wanted: string): Promise<Deployment> {
  if (isId(wanted)) return await api.deployment(wanted);
  if (wanted === "latest") {
    const [newest] = await api.deployments({}, 1);
    if (!newest) throw new CliError("There is no deployment yet.");
    return newest;
  }
  return pick("deployment", wanted, await api.deployments({}, 1_000), (d) => d.id, (d) => d.id);
}

/** A task's id, or `DEPLOYMENT/APPLICATION`. */
export async function findTask(api: ApiClient, wanted: string): Promise<Task> {
  const slash = wanted.lastIndexOf("/");
  if (slash < 0) {
    if (!isId(wanted)) throw new CliError(`"${wanted}" is neither a task's id nor DEPLOYMENT/APPLICATION.`, 2);
    return await api.task(wanted);
  }
  const { id } = await findDeployment(api, wanted.slice(0, slash));
  const tasks = (await api.deployment(id)).tasks.filter((t) => t.parentId === null);
  return pick("application in this deployment", wanted.slice(slash + 1), tasks, (t) => t.name, (t) => t.id);
}
