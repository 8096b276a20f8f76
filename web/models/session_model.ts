/** Who is signed in. The session itself is in cookies that no script can read. */
import { computed, signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { baseOf } from "../../domain/roles.ts";
import type { BaseRole } from "../../domain/roles.ts";
import type { Session, User } from "../../protocol/http_api.ts";
import { ApiProblem } from "../api/api_client.ts";
import type { Api } from "../api/api_client.ts";

export interface SessionModel {
  /** undefined: not known yet; null: nobody. */
  user: ReadonlySignal<User | null | undefined>;
  /** What the person may call, whatever the role is called. */
  base: ReadonlySignal<BaseRole | undefined>;
  error: ReadonlySignal<unknown>;
  find(): Promise<void>;
  signIn(username: string, password: string): Promise<void>;
  signOut(): Promise<void>;
  forget(): void;
}

/** Script cannot see the session's cookies; this only says that there may be some. */
const HINT = "boreas.signed-in";

export function createSession(api: () => Api): SessionModel {
  const user = signal<User | null | undefined>(undefined);
  const error = signal<unknown>(undefined);
  const forget = () => {
    localStorage.removeItem(HINT);
    user.value = null;
  };
  return {
    user,
    base: computed(() => user.value ? baseOf(user.value) : undefined),
    error,
    async find() {
      error.value = undefined;
      // Nobody has signed in with this browser: asking would only be refused.
      if (!localStorage.getItem(HINT)) return void (user.value = null);
      try {
        user.value = await api().get<User>("/auth/me");
      } catch (cause: unknown) {
        if (cause instanceof ApiProblem && cause.status === 401) user.value = null;
        else error.value = cause;
      }
    },
    async signIn(username, password) {
      user.value = (await api().send<Session>("POST", "/auth/login", { username, password })).user;
      localStorage.setItem(HINT, "yes");
    },
    async signOut() {
      await api().send("POST", "/auth/logout");
      forget();
    },
    forget,
  };
}
