/** Navigation, live state and person beside the page. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useApp } from "../app_context.ts";
import { locale, roleText, setLocale, t } from "../i18n/locale.ts";
import type { MessageKey } from "../i18n/locale.ts";
import { navigate, path } from "../router.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { Icon, Mark } from "./Icon.tsx";
import type { IconName } from "./icon_paths.ts";
import { ToastList } from "./Toasts.tsx";

const PLACES: { to: string; icon: IconName; name: MessageKey; key: string }[] = [
  { to: "/", icon: "overview", name: "nav.overview", key: "o" },
  { to: "/deployments", icon: "deployments", name: "nav.deployments", key: "d" },
  { to: "/versions", icon: "versions", name: "nav.versions", key: "v" },
  { to: "/applications", icon: "applications", name: "nav.applications", key: "a" },
  { to: "/environments", icon: "environments", name: "nav.environments", key: "e" },
  { to: "/agents", icon: "agents", name: "nav.agents", key: "m" },
  { to: "/repositories", icon: "repositories", name: "nav.repositories", key: "r" },
  { to: "/triggers", icon: "triggers", name: "nav.triggers", key: "t" },
  { to: "/settings", icon: "settings", name: "nav.settings", key: "s" },
];

export function Shell({ children }: { children: ComponentChildren }) {
  const [helps, setHelps] = useState(false);
  useShortcuts(() => setHelps(true));
  const { feed } = useApp();
  // A topic of the frame's own keeps the stream open between pages, and on a page that asks for something that is gone.
  useEffect(() => feed.subscribe(["environments"], () => {}).close, [feed]);
  return (
    <div class="shell">
      <a class="skip" href="#content" data-native>{t("skip")}</a>
      <aside class="side">
        <a class="brand" href="/">
          <Mark />
          <span>Boreas</span>
        </a>
        <nav aria-label={t("nav.main")}>
          {PLACES.map(({ to, icon, name }) => (
            <a key={to} href={to} aria-current={isHere(to) ? "page" : undefined}>
              <Icon name={icon} />
              <span>{t(name)}</span>
            </a>
          ))}
        </nav>
        <div class="side-foot">
          <LiveSign />
          <Person onHelp={() => setHelps(true)} />
        </div>
      </aside>
      <main id="content" tabIndex={-1}>{children}</main>
      <ToastList />
      {helps && <Keys onClose={() => setHelps(false)} />}
    </div>
  );
}

const isHere = (to: string) => to === "/" ? path.value === "/" : path.value === to || path.value.startsWith(`${to}/`);

function LiveSign() {
  const { feed } = useApp();
  const status = feed.status.value;
  const tone = status === "live" ? "success" : status === "connecting" ? "neutral" : "warning";
  return (
    <div class="live-sign" data-tone={tone} data-live={status} role="status" title={t(`live.${status}.hint`)}>
      <i class="dot" />
      <span>{t(`live.${status}`)}</span>
    </div>
  );
}

function Person({ onHelp }: { onHelp: () => void }) {
  const { session, toasts } = useApp();
  const user = session.user.value;
  const isZh = locale.value === "zh";
  return (
    <div class="person">
      <div class="person-name" title={user?.username}>
        <b>{user?.username}</b>
        <small>{user && roleText(user.role)}</small>
      </div>
      <button
        type="button"
        class="button ghost small icon-only"
        title={isZh ? "English" : "中文"}
        onClick={() => void setLocale(isZh ? "en" : "zh")}
        lang={isZh ? "en" : "zh-CN"}
        aria-label={isZh ? "Switch to English" : "切换到中文"}
        data-action="language"
      >
        <Icon name="language" size={14} />
      </button>
      <button
        type="button"
        class="button ghost small"
        aria-label={t("keys.title")}
        title={t("keys.title")}
        onClick={onHelp}
      >
        ?
      </button>
      <Button
        look="ghost"
        small
        icon="signOut"
        label={t("sign.out")}
        name="sign-out"
        onClick={() => session.signOut().catch(toasts.problem)}
      />
    </div>
  );
}

/** `g` then a letter goes to a page; `/` finds the page's search; `?` lists them. Never while somebody types. */
function useShortcuts(onHelp: () => void) {
  useEffect(() => {
    let awaitsPlace = false;
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, dialog")) return;
      const place = awaitsPlace ? PLACES.find(({ key }) => key === event.key) : undefined;
      awaitsPlace = event.key === "g" && !place;
      if (place) navigate(place.to);
      else if (event.key === "?") onHelp();
      else if (event.key === "/") document.querySelector<HTMLElement>("[data-search]")?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function Keys({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <dl class="keys">
        {PLACES.map(({ key, name }) => (
          <div key={key}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{t(name)}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>{t("keys.search")}</dd>
        </div>
        <div>
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>{t("keys.title")}</dd>
        </div>
      </dl>
    </Dialog>
  );
}
