/** Listens in at the master's end of each socket, for benches that ask when one task's result was accepted. */
import type { Link } from "../../domain/ports.ts";
import type { Gateway } from "../../scheduler/agent_gateway.ts";
import type { MasterParts } from "./master_parts.ts";

export function noteAccepted(gateway: Gateway): { gateway: Gateway; onAccepted: MasterParts["onAccepted"] } {
  let call: Parameters<MasterParts["onAccepted"]>[0];
  const note = (text: string) => {
    if (!call || !text.includes("result.ack")) return;
    const at = performance.now();
    for (const message of [JSON.parse(text)].flat() as { type: string; taskId: string; accepted: boolean }[]) {
      if (message.type === "result.ack" && message.accepted) call(message.taskId, at);
    }
  };
  return {
    gateway: {
      accept(link, embeddedId) {
        const listened: Link = Object.create(link, {
          send: {
            value: (text: string) => {
              note(text);
              link.send(text);
            },
          },
        });
        gateway.accept(listened, embeddedId);
      },
    },
    onAccepted: (next) => void (call = next),
  };
}
