/**
 * What a running application prints, from the moment it is opened.
 *
 *   loading --the answer begins--> open --it ends--> ended (its last line says why)
 *      '--- refused -----------------------------> error, which says what to do
 */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import type { Api } from "../api/api_client.ts";
import { createLogStore } from "../log/log_store.ts";
import type { LogStore } from "../log/log_store.ts";

export interface OutputModel {
  store: LogStore;
  /** Grows with every change of the store. */
  version: Signal<number>;
  state: Signal<"loading" | "open" | "ended">;
  error: Signal<unknown>;
  dispose(): void;
}

export function createOutputModel(api: Pick<Api, "stream">, path: string): OutputModel {
  const leave = new AbortController();
  const model = {
    store: createLogStore(),
    version: signal(0),
    state: signal<"loading" | "open" | "ended">("loading"),
    error: signal<unknown>(undefined),
    dispose: () => leave.abort(),
  };
  const read = async () => {
    const body = await api.stream(path, leave.signal);
    model.state.value = "open";
    const reader = body.getReader();
    while (true) {
      const { value, done } = await reader.read();
      if (done) break;
      model.store.append(model.store.next(), value);
      model.version.value++;
    }
    model.state.value = "ended";
  };
  read().catch((error: unknown) => {
    if (leave.signal.aborted) return;
    model.error.value = error;
    model.state.value = "ended";
  });
  return model;
}
