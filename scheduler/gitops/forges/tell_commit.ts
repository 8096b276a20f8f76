/** The line that a provider shows beside a commit. */
import type { OutgoingDeps } from "../outgoing_http.ts";
import { openForge } from "./call_forge.ts";
import type { ForgePlace } from "./call_forge.ts";
import type { ForgeStatus } from "./forge.ts";

/**
 * Sets it; the same again changes nothing that anybody sees.
 * @returns where it was told, for people to read
 * @throws OutgoingError where another attempt may help, RefusedCall where somebody must mend something
 */
export async function tellCommit(
  deps: OutgoingDeps,
  place: ForgePlace,
  token: string,
  commit: string,
  status: ForgeStatus,
): Promise<string> {
  const { forge, repository, host, send } = openForge(deps, place, token, "status");
  await send(forge.setStatus(repository, commit, status));
  return host;
}
