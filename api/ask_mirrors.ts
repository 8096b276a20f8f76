/** Asks the process that has the repositories' mirrors, and waits for its word, within bounds. */
import { AppError } from "../domain/app_error.ts";
import { askSource, dropSourceQuery, readSourceAnswer } from "../db/sources/ask_source.ts";
import type { SourceQuestion } from "../db/sources/ask_source.ts";
import type { SourceAnswer, SourceQueryKind } from "../protocol/source_query.ts";
import type { ApiDeps } from "./deps.ts";
import { createWaiter } from "./live/waiter.ts";

/** A first fetch of a large repository takes longer; asked again, it is there. */
const PATIENCE_MS = 25_000;
const LOOK_MS = 500;

/** @throws AppError: why it cannot be answered, or that nobody has answered yet */
export async function askMirrors<K extends SourceQueryKind>(
  deps: Pick<ApiDeps, "db" | "hints" | "clock">,
  question: SourceQuestion<K>,
): Promise<SourceAnswer<K>> {
  const waiter = createWaiter(deps.clock);
  const off = deps.hints.on("sources", waiter.wake);
  const id = await askSource(deps, question);
  try {
    const deadline = deps.clock.monotonic() + PATIENCE_MS;
    do {
      const answer = await readSourceAnswer(deps.db, question.kind, id);
      if (answer) return answer;
      await waiter.wait(LOOK_MS);
    } while (deps.clock.monotonic() < deadline);
  } finally {
    off();
    waiter.close();
    await dropSourceQuery(deps.db, id);
  }
  throw new AppError(
    "unavailable",
    "source.slow",
    "The repository is still being read, or no scheduler runs; try again in a moment.",
  );
}
