/** What must be there before the story begins: a Boreas, a Git remote, an environment with a machine in it. */
import { hostname } from "node:os";
import { join } from "node:path";
import { type ApiClient, createApiClient } from "../../cli/api_client.ts";
import { createGitRemote, SERVICES } from "./git_remote.ts";
import { lastingFolder, type Product, startProduct } from "./product.ts";
import { bindMachine, findOrMakeEnvironment, registerRepository, type Stage } from "./story.ts";
import type { Timeline } from "./timeline.ts";
import { StoryError } from "./wait_until.ts";

const template = join(import.meta.dirname!, "..", "..", "examples", "demo");

export interface Server {
  api: ApiClient;
  product?: Product;
}

/** The one that BOREAS_URL names, else one of our own. */
export async function findServer(folder: string, say: (line: string) => void): Promise<Server> {
  const given = Deno.env.get("BOREAS_URL");
  const token = Deno.env.get("BOREAS_TOKEN");
  if (given && token) return { api: createApiClient(host, { url: given.replace(/\/+$/, ""), token }) };
  const product = given ? undefined : await startProduct({ folder, say });
  const url = (given ?? product!.url).replace(/\/+$/, "");
  const password = product?.password ?? Deno.env.get("BOREAS_ADMIN_PASSWORD");
  if (!password) throw new StoryError("With BOREAS_URL, set BOREAS_TOKEN or BOREAS_ADMIN_PASSWORD too.");
  const session = await createApiClient(host, { url }).login({ username: "admin", password });
  const api = createApiClient(host, { url, token: session.accessToken, refreshToken: session.refreshToken });
  return product ? { api, product } : { api };
}

export async function setStage({ api }: Server, folder: string, timeline: Timeline): Promise<Stage> {
  const remote = await timeline.step("make a Git remote with three services", async () => {
    const place = await remoteFolder(api, folder);
    return await createGitRemote({ folder: place, template, addressBook: join(place, "addresses") });
  }, (made) => made.url);
  const [environment, repository] = await timeline.step(
    "register environment and repository",
    async () => [await findOrMakeEnvironment(api, "demo"), await registerRepository(api, remote)] as const,
    ([, repository]) => repository.webhookPath,
  );
  await timeline.step("bind this machine", () => bindMachine(api, environment, hostname()), (agent) => agent.name);
  return { api, remote, environment, repository };
}

/**
 * Applications belong to the repository that first declared them. A Boreas or a database that lives longer than this run
 * knows ours already: then it is that remote which is pushed to again.
 */
async function remoteFolder(api: ApiClient, folder: string): Promise<string> {
  const owner = (await api.applications()).find((a) => a.name === SERVICES[0])?.repository;
  const ours = owner ? /^file:\/\/(.*)\/shop\.git$/.exec(owner)?.[1] : undefined;
  if (ours && await isFolder(ours)) return ours;
  if (owner) {
    throw new StoryError(
      `${api.url} has an application ${SERVICES[0]} of ${owner} already. The demo needs a Boreas without it.`,
    );
  }
  return join(lastingFolder() ?? folder, "remote");
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const host = {
  fetch: (url: string, init?: RequestInit) => fetch(url, init),
  now: () => Date.now(),
  wait: (milliseconds: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    }),
};
