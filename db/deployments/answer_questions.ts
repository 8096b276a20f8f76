/** Questions that nobody answered in time get the answer that the strategy names. Run by the leader. */
import { AppError } from "../../domain/app_error.ts";
import type { FailureChoice } from "../../domain/strategy.ts";
import { recordAudit } from "../audit/record_audit.ts";
import { type Aside, noAside } from "../aside.ts";
import { systemActor } from "../database.ts";
import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { answerQuestion, readFailed } from "./answer_question.ts";
import { isAsked } from "./ask_people.ts";
import { lockDeployment } from "./lock_deployment.ts";

const AT_ONCE = 50;

/** @returns how many were answered */
export async function answerQuestions(db: Database, aside: Aside = noAside): Promise<number> {
  const due = await db.sql<{ id: string; projectId: string }[]>`
    select id, project_id from deployment where status = 'paused' and ask_until <= boreas_now() and id <> all(${aside.ids()}::uuid[])
    order by ask_until limit ${AT_ONCE}`;
  let answered = 0;
  for (const one of due) if (await aside.attempt(one.id, () => answerOne(db, one))) answered++;
  return answered;
}

async function answerOne(db: Database, { id, projectId }: { id: string; projectId: string }): Promise<boolean> {
  try {
    return await inTransaction(db, (tx) => answer(tx, undefined));
  } catch (error: unknown) {
    // An answer that does not fit what failed: a gate has no machine to leave out, an approval is not ignored.
    if (!(error instanceof AppError) || error.kind !== "conflict") throw error;
    return await inTransaction(db, (tx) => answer(tx, "fail"));
  }

  async function answer(tx: Parameters<typeof lockDeployment>[0], instead: FailureChoice | undefined) {
    const row = await lockDeployment(tx, id, projectId);
    const [due] = await tx<{ choice: FailureChoice }[]>`
      select coalesce(ask_default, 'fail') as choice from deployment where id = ${id} and ask_until <= boreas_now()`;
    if (!due || !isAsked(row)) return false; // a person was quicker
    const choice = instead ?? due.choice;
    const actor = systemActor("the default answer", projectId);
    const tasks = await readFailed(tx, id);
    // Tried again by itself once: what fails then fails, or it would go on for ever.
    if (choice === "retry") await tx`update deployment set ask_default = 'fail' where id = ${id}`;
    const note = "Nobody decided in time.";
    for (const task of tasks) await recordAudit(db, tx, actor, "task.decide", `task:${task.id}`, { choice, note });
    await answerQuestion(db, tx, row, { choice, tasks, actor, note });
    return true;
  }
}
