import type { ComponentChildren } from "preact";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icon_paths.ts";

export interface ButtonInput {
  children?: ComponentChildren;
  icon?: IconName;
  look?: "plain" | "primary" | "danger" | "ghost";
  label?: string;
  type?: "button" | "submit";
  small?: boolean;
  disabled?: boolean;
  pressed?: boolean;
  onClick?: (event: MouseEvent) => void;
  name?: string;
}

export function Button(
  { children, icon, look = "plain", label, type = "button", small, disabled, pressed, onClick, name }: ButtonInput,
) {
  return (
    <button
      type={type}
      class={`button ${look} ${small ? "small" : ""} ${children ? "" : "icon-only"}`}
      disabled={disabled}
      aria-label={label}
      aria-pressed={pressed}
      title={label}
      onClick={onClick}
      data-action={name}
    >
      {icon && <Icon name={icon} size={small ? 14 : 16} />}
      {children}
    </button>
  );
}
