/**
 * What an agent, its successor and the watcher between them know of an upgrade (`agents/upgrade/upgrader.ts`), in
 * `<state>/upgrade`: `plan.json` while one is under way, `verdict.json` as soon as somebody has decided. The first
 * verdict stays, whoever comes later.
 */
import { readIfThere, removeDurably, writeDurably, writeOnce } from "./durable_files.ts";

interface Plan {
  id: string;
  from: string;
  to: string;
}
interface Verdict {
  verdict: "confirmed" | "reverted";
  reason: string;
}

export function createUpgradeNotes(stateDir: string) {
  const folder = `${stateDir}/upgrade`;
  const [planFile, verdictFile] = [`${folder}/plan.json`, `${folder}/verdict.json`];
  const read = async <T>(path: string): Promise<T | undefined> => {
    const text = await readIfThere(path);
    return text === undefined ? undefined : JSON.parse(text) as T;
  };
  const readVerdict = () => read<Verdict>(verdictFile);
  return {
    readPlan: () => read<Plan>(planFile),
    async writePlan(plan: Plan): Promise<void> {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      await removeDurably(verdictFile);
      await writeDurably(planFile, JSON.stringify(plan));
    },
    readVerdict,
    async decide(verdict: Verdict): Promise<Verdict> {
      return await writeOnce(verdictFile, JSON.stringify(verdict)) ? verdict : (await readVerdict())!;
    },
    /** The plan goes first: a verdict alone speaks of nothing, and the next plan takes it away. */
    async clear(): Promise<void> {
      await removeDurably(planFile);
      await removeDurably(verdictFile);
    },
  };
}
