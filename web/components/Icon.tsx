import { ICONS } from "./icon_paths.ts";
import type { IconName } from "./icon_paths.ts";

export function Icon({ name, size = 16, class: extra = "" }: { name: IconName; size?: number; class?: string }) {
  return (
    <svg class={`icon ${extra}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

/** The mark: three gusts of the north wind. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d="M2 8.5h11.5a3 3 0 1 0-2.8-4" />
      <path d="M2 12.5h17a2.8 2.8 0 1 1-2.6 3.8" />
      <path d="M2 16.5h8.5a2.5 2.5 0 1 1-2.3 3.4" />
    </svg>
  );
}
