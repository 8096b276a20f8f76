import type { Span } from "../../log/ansi.ts";

/** The theme's sixteen colours are classes; any other is set through `element.style`, which the page's policy allows. */
export function LogSpan({ span }: { span: Span & { isMatch?: boolean } }) {
  const { style } = span;
  const ink = style.inverse ? style.background ?? "ground" : style.foreground;
  const ground = style.inverse ? style.foreground ?? "ink" : style.background;
  const names = [
    ink && !ink.startsWith("#") && `ink-${ink}`,
    ground && !ground.startsWith("#") && `ground-${ground}`,
    style.bold && "bold",
    style.dim && "dim",
    style.italic && "italic",
    style.underline && "underline",
    style.strike && "strike",
  ].filter(Boolean).join(" ");
  const exact = {
    ...(ink?.startsWith("#") && { color: ink }),
    ...(ground?.startsWith("#") && { backgroundColor: ground }),
  };
  if (span.isMatch) return <mark class={names} style={exact}>{span.text}</mark>;
  if (!names && Object.keys(exact).length === 0) return <>{span.text}</>;
  return <span class={names} style={exact}>{span.text}</span>;
}
