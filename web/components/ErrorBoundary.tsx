import { Component } from "preact";
import type { ComponentChildren } from "preact";
import { messageOf } from "../api/api_client.ts";
import { t } from "../i18n/locale.ts";
import { Button } from "./Button.tsx";
import { Empty } from "./Page.tsx";

/** A page that breaks takes neither the navigation nor the other pages with it. */
export class ErrorBoundary extends Component<{ children: ComponentChildren }, { error?: unknown }> {
  override state: { error?: unknown } = {};
  override componentDidCatch(error: unknown) {
    console.error("a page broke", error);
    this.setState({ error });
  }
  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <Empty icon="warning" title={t("broken.title")}>
        {messageOf(this.state.error)}{" "}
        <Button small onClick={() => this.setState({ error: undefined })}>{t("try.again")}</Button>
      </Empty>
    );
  }
}
