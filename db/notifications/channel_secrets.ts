/** What of a channel's target everybody may see, and what is sealed. */
import type { NotificationTarget } from "../../protocol/api/notifications.ts";
import type { Vault } from "../secrets/vault.ts";

const place = (id: string) => `notification:${id}:sealed`;

export async function sealTarget(vault: Vault, id: string, target: NotificationTarget): Promise<Uint8Array> {
  return await vault.seal(place(id), JSON.stringify(target));
}
export async function openTarget(vault: Vault, id: string, sealed: Uint8Array): Promise<NotificationTarget> {
  return JSON.parse(await vault.open(place(id), sealed)) as NotificationTarget;
}

/** The path of an address is left out: that of a chat robot is its password. */
export function shownSettings(target: NotificationTarget): Record<string, unknown> {
  if (target.kind !== "email") {
    const isSigned = "secret" in target && target.secret !== undefined;
    return { destination: new URL(target.url).origin, signed: isSigned };
  }
  const { kind: _kind, password, ...rest } = target;
  return { destination: target.to.join(", "), ...rest, login: password !== undefined };
}
