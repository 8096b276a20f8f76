/** This machine's agent beside a master of this machine: when it may start, and what it is told. */
import { taskCommand } from "./run_task.ts";
import type { Supervised } from "./supervise.ts";
import { type Reached, waitForMaster } from "./wait_for_master.ts";

export function localAgent(dataDir: string): Pick<Supervised, "agent" | "ready"> {
  let reached: Reached | undefined;
  const ready = async (signal: AbortSignal) => {
    const port = Number(Deno.env.get("BOREAS_PORT") || 8080);
    reached = await waitForMaster({ dataDir, port, publicUrl: Deno.env.get("BOREAS_PUBLIC_URL"), signal });
  };
  if (Deno.env.get("BOREAS_LOCAL_AGENT") === "off") return { ready };
  const agent = () =>
    taskCommand("agent", {
      env: {
        BOREAS_URL: reached!.url,
        BOREAS_CA_FINGERPRINT: reached!.caFingerprint ?? "",
        BOREAS_TOKEN_FILE: `${dataDir}/local-agent.token`,
        BOREAS_STATE_DIR: `${dataDir}/agent`,
      },
    });
  return { ready, agent };
}
