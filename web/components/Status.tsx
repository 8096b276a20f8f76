/** A state as sign, colour and word. */
import { tState } from "../i18n/locale.ts";
import { lookOf } from "../models/state_look.ts";
import { Icon } from "./Icon.tsx";

type Kind = Parameters<typeof tState>[0];

export function Status({ kind, state, compact }: { kind: Kind; state: string; compact?: boolean }) {
  const look = lookOf(state);
  const word = tState(kind, state);
  const spins = look.icon === "running" ? "spin" : "";
  if (compact) {
    return (
      <span class="sign" data-tone={look.tone} role="img" aria-label={word} title={word}>
        <Icon name={look.icon} class={spins} />
      </span>
    );
  }
  return (
    <span class="status" data-tone={look.tone} data-state={state}>
      <Icon name={look.icon} size={14} class={spins} />
      {word}
    </span>
  );
}
