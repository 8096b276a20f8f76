import type { UpgradeReport } from "../../protocol/release.ts";
import type { Database } from "../database.ts";
import { type AskedUpgrade, noteUpgrade, readAskedUpgrades } from "./note_upgrade.ts";

/** What the heart of the scheduler needs of the database for upgrades. */
export interface UpgradeStore {
  /** Who of these agents has been asked and has not ended yet. */
  readAsked(agentIds: readonly string[]): Promise<AskedUpgrade[]>;
  note(agentId: string, report: UpgradeReport): Promise<void>;
  /** base64url raw Ed25519: what releases are signed with. */
  releaseKey: string | undefined;
}

/** The verbs that the heart of the scheduler calls, bound to one database. */
export const createUpgradeStore = (db: Database, releaseKey: string | undefined): UpgradeStore => ({
  readAsked: (agentIds: readonly string[]) => readAskedUpgrades(db, agentIds),
  note: (agentId: string, report: UpgradeReport) => noteUpgrade(db, agentId, report),
  releaseKey,
});
