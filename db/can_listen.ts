/**
 * Whether notifications reach who listens. Behind a pooler that lends connections for a transaction, LISTEN is answered
 * as if it worked, and then nothing ever comes; prepared statements break there too. So it is tried once, at the start.
 */
import { openClient } from "./client.ts";
import type { ConnectionTarget } from "./client.ts";

const HEARD_MS = 3_000;

export async function canListen(target: ConnectionTarget, heardMs = HEARD_MS): Promise<boolean> {
  const client = openClient(target, { max: 1, pooler: true, applicationName: "boreas-probe" });
  const channel = `boreas_probe_${crypto.randomUUID().replaceAll("-", "")}`;
  try {
    const heard = Promise.withResolvers<boolean>();
    await client.listen(channel, () => heard.resolve(true));
    const late = setTimeout(() => heard.resolve(false), heardMs);
    await client.notify(channel, "");
    const answer = await heard.promise;
    clearTimeout(late);
    return answer;
  } finally {
    await client.end({ timeout: 1 });
  }
}
