import { eventually } from "../../helpers/start_product.ts";
import type { GitRemoteFixture } from "../../helpers/git_remote.ts";
import type { Master } from "../../helpers/start_product.ts";

/** Registers what was pushed to a remote, and waits for the version that the poller makes of it. */
export async function recordVersion(master: Master, remote: GitRemoteFixture): Promise<{ id: string }> {
  await master.api("POST", "/repositories", {
    url: `file://${remote.url}`,
    provider: "generic",
    webhookSecret: "whsec_0123456789abcdef",
    pollSeconds: 1,
  });
  return await eventually(
    async () => (await master.api<{ items: { id: string }[] }>("GET", "/versions")).items[0],
    "the version was recorded",
  );
}
