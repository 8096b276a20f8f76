/**
 * New keys over the living connection, whenever the master asks; nothing that runs notices.
 *
 *   key.rotate -> key.offer (signed by the old key and by the new one) -> key.recorded -> on disk -> key.confirm
 *
 * A connection that breaks in between costs nothing: with the next one the master asks again.
 */
import type { Logger } from "../domain/ports.ts";
import type { FromAgent, ToAgent } from "../protocol/agent_messages.ts";
import type { Identity } from "./identity.ts";

type Of<T extends ToAgent["type"]> = Extract<ToAgent, { type: T }>;

export function createRenewalHandlers(
  { identity, logger, send }: { identity: Identity; logger: Logger; send(message: FromAgent): void },
) {
  const failed = (what: string) => (error: unknown) => logger.log("ERROR", what, { error: String(error) });

  async function offer(requestId: string): Promise<void> {
    const made = await identity.renewal?.offer(requestId);
    if (made) send({ type: "key.offer", ...made });
  }
  async function switchTo(requestId: string): Promise<void> {
    if (!await identity.renewal?.switchTo(requestId)) return;
    logger.log("INFO", "This agent has new keys.");
    send({ type: "key.confirm", requestId });
  }
  return {
    "key.rotate": ({ requestId }: Of<"key.rotate">) =>
      void offer(requestId).catch(failed("New keys could not be made; the old ones stay.")),
    "key.recorded": ({ requestId }: Of<"key.recorded">) =>
      void switchTo(requestId).catch(failed("New keys could not be written; the old ones stay.")),
    "key.refused": ({ reason }: Of<"key.refused">) => logger.log("WARN", `The master did not take new keys: ${reason}`),
  };
}
