/** From a push to its deployments: git, the loops, and what they may reach. */
import { join } from "node:path";
import { lookup } from "node:dns/promises";
import { isRegisteredHost } from "../db/repositories/registered_hosts.ts";
import { parseNetworks } from "../domain/outgoing_address.ts";
import { createOutgoingCheck } from "../domain/outgoing_check.ts";
import type { CheckOutgoing } from "../domain/outgoing_check.ts";
import { createGit } from "../host/git.ts";
import { createPinnedFetch } from "../host/pinned_fetch.ts";
import type { SchedulerDeps } from "../scheduler/deps.ts";
import { createGitops } from "../scheduler/gitops/create_gitops.ts";
import type { Gitops } from "../scheduler/gitops/create_gitops.ts";
import type { Env, Settings } from "./settings.ts";

export interface GitopsParts extends Gitops {
  checkOutgoing: CheckOutgoing;
}

export function createGitopsParts(env: Env, settings: Settings, scheduler: SchedulerDeps): GitopsParts {
  const checkOutgoing = createOutgoingCheck({
    resolve: async (host) => (await lookup(host, { all: true })).map((a) => a.address),
    allow: parseNetworks(settings.allowNetworks.join(",")),
    isRegistered: (host) => isRegisteredHost(scheduler.db, host),
  });
  const passedOn = ["PATH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "GIT_SSL_CAINFO"];
  const git = createGit({
    gitPath: "git",
    cacheDir: join(settings.dataDir, "git"),
    allowFile: settings.allowFileRepositories,
    // Registering one was the permission for a private network.
    check: (url) => checkOutgoing(url, "repository"),
    env: Object.fromEntries(passedOn.flatMap((name) => (env(name) ? [[name, env(name)!]] : []))),
  });
  const gitops = createGitops({
    ...scheduler,
    git,
    fetch: createPinnedFetch(env),
    checkOutgoing,
    sweepSeconds: settings.pollSeconds,
    publicUrl: settings.publicUrl,
  });
  return { ...gitops, checkOutgoing };
}
