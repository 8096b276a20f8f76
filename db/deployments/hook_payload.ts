/** A hook that is planned only when something has gone wrong, from what its application was frozen as. */
import { parseDuration } from "../../domain/duration.ts";
import type { HookInput, HookName } from "../../domain/hooks.ts";
import type { ReachedPlace } from "./read_reached.ts";

export type LaterHook = HookInput;
/** A rollback waits for both: the one that brings data back may take its time, the one that looks and tells may not. */
const SECONDS = { onRollback: 600, onFailure: 60 } as const;

export function hookPayload(
  place: Pick<ReachedPlace, "operation" | "target">,
  name: HookName & keyof typeof SECONDS,
  { run, timeout }: LaterHook,
  isEach: boolean,
): Record<string, unknown> {
  return {
    ...place.operation,
    action: "hook",
    hook: { name, run },
    target: isEach ? place.target : null,
    timeoutSeconds: timeout === undefined ? SECONDS[name] : parseDuration(timeout)!,
  };
}
