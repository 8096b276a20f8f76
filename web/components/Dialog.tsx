/** The browser's own modal dialog: focus stays inside, Escape closes, focus returns. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { useApp } from "../app_context.ts";
import { t } from "../i18n/locale.ts";
import { problemText } from "../models/toast_model.ts";
import { Button } from "./Button.tsx";

export interface DialogInput {
  title: string;
  children: ComponentChildren;
  onClose: () => void;
  wide?: boolean;
}

export function Dialog({ title, children, onClose, wide }: DialogInput) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => ref.current!.showModal(), []);
  return (
    <dialog
      ref={ref}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby={heading}
      onClose={onClose}
      onMouseDown={(event) => event.target === ref.current && onClose()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={heading}>{title}</h2>
          <Button look="ghost" icon="close" label={t("close")} onClick={onClose} small />
        </header>
        {children}
      </div>
    </dialog>
  );
}

export interface FormInput {
  /** What the main button says. */
  submit: string;
  look?: "primary" | "danger";
  isReady?: boolean;
  /** Throws what the person should read. */
  act: () => Promise<void>;
  onClose: () => void;
  children?: ComponentChildren;
  /** More buttons, left of the main one. */
  more?: ComponentChildren;
}

/** A form in a dialog: one act, its problem shown where the person looks. */
export function DialogForm({ submit, look = "primary", isReady = true, act, onClose, children, more }: FormInput) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await act();
    } catch (error: unknown) {
      setProblem(error);
    }
    setBusy(false);
  };
  return (
    <form class="form" onSubmit={onSubmit}>
      {children}
      {problem !== undefined && <p class="problem" role="alert">{problemText(problem)}</p>}
      <footer class="dialog-foot">
        <Button look="ghost" onClick={onClose}>{t("cancel")}</Button>
        {more}
        <Button type="submit" look={look} disabled={busy || !isReady} name="submit">{submit}</Button>
      </footer>
    </form>
  );
}

/** Asks before an act, with a note for the record where the API takes one. */
export function ConfirmDialog(
  { title, text, submit, danger, withNote, act, onClose }: {
    title: string;
    text: string;
    submit: string;
    danger?: boolean;
    withNote?: "optional" | "required";
    act: (note: string) => Promise<void>;
    onClose: () => void;
  },
) {
  const { toasts } = useApp();
  const [note, setNote] = useState("");
  return (
    <Dialog title={title} onClose={onClose}>
      <DialogForm
        submit={submit}
        look={danger ? "danger" : "primary"}
        isReady={withNote !== "required" || note.trim() !== ""}
        onClose={onClose}
        act={async () => {
          await act(note.trim());
          toasts.done(t("toast.done", { what: title }));
          onClose();
        }}
      >
        {text.split("\n\n").map((paragraph) => <p key={paragraph}>{paragraph}</p>)}
        {withNote && (
          <label class="field">
            <span>{t(withNote === "required" ? "note.required" : "note.optional")}</span>
            <textarea rows={2} maxLength={2000} value={note} onInput={(e) => setNote(e.currentTarget.value)} />
          </label>
        )}
      </DialogForm>
    </Dialog>
  );
}
