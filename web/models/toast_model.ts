/** Short notes on what an act did; an error stays until it is closed. */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { ApiProblem, messageOf } from "../api/api_client.ts";

export interface Toast {
  id: number;
  kind: "done" | "problem";
  text: string;
}
export interface Toasts {
  shown: ReadonlySignal<Toast[]>;
  done(text: string): void;
  problem(error: unknown): void;
  close(id: number): void;
}
const SHOWN_MS = 4000;

export function createToasts(): Toasts {
  const shown = signal<Toast[]>([]);
  let lastId = 0;
  const close = (id: number) => shown.value = shown.value.filter((toast) => toast.id !== id);
  const add = (kind: Toast["kind"], text: string) => {
    const id = ++lastId;
    shown.value = [...shown.value.slice(-3), { id, kind, text }];
    return id;
  };
  return {
    shown,
    close,
    done(text) {
      const id = add("done", text);
      setTimeout(() => close(id), SHOWN_MS);
    },
    problem: (error) => void add("problem", problemText(error)),
  };
}

/** The sentence, and the fields it does not name itself. */
export function problemText(error: unknown): string {
  if (!(error instanceof ApiProblem)) return messageOf(error);
  const more = error.errors.filter(({ message }) => !error.message.includes(message));
  if (more.length === 0) return error.message;
  return `${error.message} ${more.map((e) => `${e.path}: ${e.message}`).join("; ")}`;
}
