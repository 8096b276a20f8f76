/**
 * The upgrade of agents, as a whole and of each one.
 *
 *   running --every agent has ended--> completed | --one failed--> failed | --a person--> cancelled
 *
 *   waiting --its turn--> asked --it came back with the version--> succeeded
 *      |                    |----it says why not, it went back, or nothing was heard--> failed
 *      |                    '----cancelled, and it had not switched yet--> cancelled
 *      '--not there when its turn came--> skipped | --another one failed--> skipped | --a person--> cancelled
 */
export const UPGRADE_STATES = ["running", "completed", "failed", "cancelled"] as const;
export type UpgradeState = (typeof UPGRADE_STATES)[number];
export const UPGRADE_AGENT_STATES = ["waiting", "asked", "succeeded", "failed", "skipped", "cancelled"] as const;
export type UpgradeAgentState = (typeof UPGRADE_AGENT_STATES)[number];
