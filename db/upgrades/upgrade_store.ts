import type { UpgradeReport } from "../../protocol/release.ts";
import type { Database } from "../database.ts";
import { noteUpgrade, readAskedUpgrades } from "./note_upgrade.ts";

/** The verbs that the heart of the scheduler calls, bound to one database. */
export const createUpgradeStore = (db: Database, releaseKey: string | undefined) => ({
  readAsked: (agentIds: readonly string[]) => readAskedUpgrades(db, agentIds),
  note: (agentId: string, report: UpgradeReport) => noteUpgrade(db, agentId, report),
  releaseKey,
});
