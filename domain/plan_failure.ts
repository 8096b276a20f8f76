/** What a deployment does when something of it fails, from what its applications wish. Pure. */
import { parseDuration } from "./duration.ts";
import type { FailureAction, FailureChoice, RollbackScope, StrategyInput } from "./strategy.ts";

export interface FailurePlan {
  /** `pause` asks people first, whatever follows when they do not answer. */
  onFailure: FailureAction;
  rollbackScope: RollbackScope;
  /** How long people are asked, and what counts as their answer then; null: without end. */
  askSeconds: number | null;
  askDefault: FailureChoice | null;
  rollbackSeconds: number;
}
export const ROLLBACK_SECONDS = 1800;

type Wish = NonNullable<StrategyInput["onFailure"]>;
const asks = ({ action, askFor }: Wish) => action === "pause" || askFor !== undefined;

/**
 * The strictest wish decides. Where none is written: back to what ran before, when there is something to go back to;
 * else stop, and leave what runs for a person to look at.
 * @param deadline most time the environment gives a rollback
 */
export function planFailure(
  strategies: readonly Pick<StrategyInput, "onFailure">[],
  ranBefore: boolean,
  deadline?: string,
): FailurePlan {
  const wishes = strategies.flatMap((strategy) => strategy.onFailure ?? []);
  const wished = (action: FailureAction) =>
    wishes.some((wish) => asks(wish) ? action === "pause" : wish.action === action);
  const onFailure = (["rollback", "pause", "stop", "continue"] as const).find(wished) ??
    (ranBefore ? "rollback" : "stop");
  const deadlines = [deadline, ...wishes.map((wish) => wish.deadline)].flatMap((text) => text ?? []).map(seconds);
  return {
    onFailure,
    rollbackScope: widest(strategies.map((strategy) => strategy.onFailure?.scope ?? "deployment")),
    ...(onFailure === "pause" ? planQuestion(wishes) : { askSeconds: null, askDefault: null }),
    rollbackSeconds: deadlines.length === 0 ? ROLLBACK_SECONDS : Math.min(...deadlines),
  };
}

/** Who wants an answer soonest has it. */
function planQuestion(wishes: readonly Wish[]): Pick<FailurePlan, "askSeconds" | "askDefault"> {
  const [first] = wishes.filter((wish) => wish.askFor !== undefined).sort((a, b) =>
    seconds(a.askFor!) - seconds(b.askFor!)
  );
  if (!first) return { askSeconds: null, askDefault: null };
  const answer = first.default ?? (first.action === "rollback" ? "rollback" : "fail");
  return { askSeconds: seconds(first.askFor!), askDefault: answer };
}

const widest = (scopes: readonly RollbackScope[]): RollbackScope =>
  (["deployment", "batch"] as const).find((scope) => scopes.includes(scope)) ?? (scopes[0] ?? "deployment");
/** Whole ones, as they are kept. */
const seconds = (text: string): number => Math.ceil(parseDuration(text)!);
