/** The company's machines, and the upgrade that they are in. */
import { reason } from "../../domain/reason.ts";
import type { Agent, Upgrade } from "../../protocol/http_api.ts";
import { environments, newId, secondsAgo } from "./fixture_data.ts";

const MACHINE_POLICY = { modes: ["docker", "binary"], registries: ["reg.example.com"], maxSlots: 4 };
export const agents: Agent[] = ["m1.eu", "m2.eu", "m3.eu", "build-7"].map((name, at) => ({
  id: newId(),
  name,
  kind: "agent",
  status: at === 3 ? "disconnected" : "connected",
  reason: reason(at === 3 ? "agent.disconnected" : "agent.connected"),
  embedded: false,
  labels: { role: at < 2 ? "order" : "web", rack: `b${at + 1}` },
  environments: environments.slice(0, 2).map(({ id, name }) => ({ id, name })),
  facts: {
    os: "linux",
    arch: "amd64",
    cpus: 8,
    memoryBytes: 16 * 2 ** 30,
    installed: true,
    ...(at === 0 ? { policy: MACHINE_POLICY } : {}),
  },
  versions: { boreas: "0.1.0" },
  slots: 4,
  busySlots: [2, 0, 1, 0][at]!,
  cordoned: at === 2,
  awaitsApproval: at === 3,
  drain: at === 2 ? { startedAt: secondsAgo(40), drainedAt: null } : null,
  keys: { since: secondsAgo(20 * 86_400), isRenewalWanted: false },
  lastSeenAt: secondsAgo(at === 3 ? 5000 : 3),
  createdAt: secondsAgo(20 * 86_400),
}));

/** One machine is back with the new version, the next one is at it. */
export const upgrades: Upgrade[] = [{
  id: newId(),
  version: "0.2.0",
  downgrade: false,
  batch: 5,
  status: "running",
  reason: reason("upgrade.running", { actor: "admin", batch: 5 }),
  agents: agents.slice(0, 3).map(({ id, name }, at) => ({
    agentId: id,
    name,
    state: (["succeeded", "asked", "waiting"] as const)[at]!,
    reason: [
      reason("upgrade.succeeded", { version: "0.2.0" }),
      reason("upgrade.progress", { detail: "Fetching 0.2.0." }),
      reason("upgrade.waiting"),
    ][at]!,
    fromVersion: "0.1.0",
    askedAt: at < 2 ? secondsAgo(30) : null,
    updatedAt: secondsAgo(5),
  })),
  createdBy: "admin",
  createdAt: secondsAgo(60),
  completedAt: null,
}];
