/** Text to be taken elsewhere: shown whole, copied with one press. */
import { useState } from "preact/hooks";
import { t } from "../i18n/locale.ts";
import { Button } from "./Button.tsx";

export function CopyLine({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (event: MouseEvent) => {
    const line = (event.currentTarget as HTMLElement).parentElement!.querySelector("code")!;
    // Without a secure context there is no clipboard: select it, so that one key press copies it.
    if (navigator.clipboard) await navigator.clipboard.writeText(text).then(() => setCopied(true), () => select(line));
    else select(line);
  };
  return (
    <div class="copy-line">
      <code aria-label={label} tabIndex={0}>{text}</code>
      <Button icon={copied ? "check" : "copy"} small label={t(copied ? "copied" : "copy")} onClick={copy} />
    </div>
  );
}

function select(element: Element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection()?.removeAllRanges();
  getSelection()?.addRange(range);
}
