import { useEffect, useState } from "preact/hooks";
import { useApp } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { TextField } from "../components/Field.tsx";
import { Mark } from "../components/Icon.tsx";
import { locale, setLocale, t } from "../i18n/locale.ts";
import { problemText } from "../models/toast_model.ts";

export function LoginPage() {
  const { session, feed } = useApp();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  useEffect(() => void (document.title = `${t("sign.in")} · Boreas`), []);

  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await session.signIn(username.trim(), password);
      // Where to go from here is decided where the pages are: it sees that somebody is signed in.
      feed.retry();
    } catch (error: unknown) {
      setProblem(error);
      setBusy(false);
    }
  };
  const isZh = locale.value === "zh";
  return (
    <main class="login">
      <form class="login-card form" onSubmit={onSubmit}>
        <h1>
          <Mark size={30} />
          <span>Boreas</span>
        </h1>
        <p class="quiet">{t("login.lead")}</p>
        <TextField
          label={t("login.username")}
          value={username}
          onValue={setUsername}
          autoComplete="username"
          required
          autoFocus
        />
        <TextField
          label={t("login.password")}
          type="password"
          value={password}
          onValue={setPassword}
          autoComplete="current-password"
          required
        />
        {problem !== undefined && <p class="problem" role="alert">{problemText(problem)}</p>}
        <Button type="submit" look="primary" disabled={busy} name="sign-in">{t("sign.in")}</Button>
        <button
          type="button"
          class="button ghost small"
          lang={isZh ? "en" : "zh-CN"}
          onClick={() => void setLocale(isZh ? "en" : "zh")}
        >
          {isZh ? "English" : "中文"}
        </button>
      </form>
    </main>
  );
}
