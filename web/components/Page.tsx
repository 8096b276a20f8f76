/** The frame of a page's content: head, and what stands there while it loads or when it failed. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "../i18n/locale.ts";
import type { Resource } from "../models/create_resource.ts";
import { problemText } from "../models/toast_model.ts";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icon_paths.ts";

export function PageHead(
  { title, note, children }: { title: string; note?: ComponentChildren; children?: ComponentChildren },
) {
  useEffect(() => void (document.title = `${title} · Boreas`), [title]);
  return (
    <header class="page-head">
      <div class="page-title">
        <h1>{title}</h1>
        {note && <p class="quiet">{note}</p>}
      </div>
      {children && <div class="actions">{children}</div>}
    </header>
  );
}

/** Shows the data, or why there is none. Data once read stays on the page while a newer read fails. */
export function Loaded<T>({ resource, children }: { resource: Resource<T>; children: (data: T) => ComponentChildren }) {
  const data = resource.data.value;
  const error = resource.error.value;
  return (
    <>
      {error !== undefined && (
        <div class="banner" data-tone="danger" role="alert">
          <Icon name="warning" />
          <span>{problemText(error)}</span>
          <Button small onClick={() => void resource.reload()}>{t("try.again")}</Button>
        </div>
      )}
      {data === undefined ? error === undefined && <Skeleton /> : children(data)}
    </>
  );
}

const Skeleton = () => (
  <div class="skeleton" aria-busy="true" aria-label={t("loading")}>
    <i />
    <i />
    <i />
    <i />
  </div>
);

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} size={28} />
      <h3>{title}</h3>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Card({ title, children, actions, flush }: {
  title?: string;
  children: ComponentChildren;
  actions?: ComponentChildren;
  flush?: boolean;
}) {
  return (
    <section class="card">
      {title && (
        <header class="card-head">
          <h2>{title}</h2>
          {actions}
        </header>
      )}
      <div class={flush ? "card-body flush" : "card-body"}>{children}</div>
    </section>
  );
}

/** `name: value` pairs. */
export function Facts({ items }: { items: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {items.filter(([, value]) => value !== undefined && value !== null && value !== false && value !== "").map((
        [name, value],
      ) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
