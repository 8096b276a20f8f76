import type { ComponentChildren } from "preact";

export interface TextFieldInput {
  label: string;
  value: string;
  onValue: (value: string) => void;
  hint?: string;
  type?: "text" | "password" | "number" | "url";
  required?: boolean;
  placeholder?: string;
  autoComplete?: string;
  minLength?: number;
  mono?: boolean;
  rows?: number;
  /** A secret of several lines: shown as dots where the browser can. */
  veiled?: boolean;
  autoFocus?: boolean;
  readOnly?: boolean;
  /** Why the value is refused. */
  error?: string;
}

export function TextField(input: TextFieldInput) {
  const common = {
    value: input.value,
    required: input.required,
    placeholder: input.placeholder,
    minLength: input.minLength,
    class: `${input.mono ? "mono" : ""} ${input.veiled ? "veiled" : ""}`.trim() || undefined,
    autoFocus: input.autoFocus,
    readOnly: input.readOnly,
    "aria-invalid": input.error !== undefined,
  };
  return (
    <label class="field">
      <span>{input.label}</span>
      {input.rows
        ? <textarea {...common} rows={input.rows} onInput={(e) => input.onValue(e.currentTarget.value)} />
        : (
          <input
            {...common}
            type={(input.type ?? "text") as "text"}
            autoComplete={input.autoComplete ?? "off"}
            onInput={(e) => input.onValue(e.currentTarget.value)}
          />
        )}
      {input.error ? <FieldError text={input.error} /> : input.hint && <small>{input.hint}</small>}
    </label>
  );
}

const FieldError = ({ text }: { text: string }) => <small class="field-error" role="alert">{text}</small>;

export interface SelectInput {
  label: string;
  value: string;
  onValue: (value: string) => void;
  options: { value: string; text: string }[];
  hint?: string;
  /** The label is for screen readers only. */
  bare?: boolean;
  error?: string;
}

export function SelectField({ label, value, onValue, options, hint, bare, error }: SelectInput) {
  return (
    <label class={bare ? "field bare" : "field"}>
      <span class={bare ? "unseen" : ""}>{label}</span>
      <select value={value} aria-invalid={error !== undefined} onChange={(e) => onValue(e.currentTarget.value)}>
        {options.map((option) => <option key={option.value} value={option.value}>{option.text}</option>)}
      </select>
      {error ? <FieldError text={error} /> : hint && <small>{hint}</small>}
    </label>
  );
}

export function CheckField({ checked, onChecked, children }: {
  checked: boolean;
  onChecked: (checked: boolean) => void;
  children: ComponentChildren;
}) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(e) => onChecked(e.currentTarget.checked)} />
      <span>{children}</span>
    </label>
  );
}
