/** WCAG AA by arithmetic: every colour that text takes, on every ground it stands on, in both themes. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const variables = (css: string) =>
  Object.fromEntries([...css.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1]!, m[2]!]));
const [lightCss, darkCss] = read("tokens.css").split("@media (prefers-color-scheme: dark)");
const THEMES = { light: variables(lightCss!), dark: { ...variables(lightCss!), ...variables(darkCss!) } };

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
function contrast(one: string, other: string): number {
  const [bright, dim] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (bright! + 0.05) / (dim! + 0.05);
}

const GROUNDS = ["ground", "surface", "raised", "sunken", "side"];
const TONES = ["success", "running", "warning", "danger", "rollback", "neutral"];
const PAIRS = [
  ...GROUNDS.flatMap((ground) => [["ink", ground], ["ink-soft", ground], ["accent", ground]]),
  ...TONES.flatMap((tone) => [[tone, `${tone}-soft`], [tone, "surface"], [tone, "raised"]]),
  ["ink", "danger-soft"],
  ["ink-soft", "neutral-soft"],
  ["accent-ink", "accent"],
  ["accent-ink", "accent-hover"],
  ["accent", "accent-soft"],
] as [string, string][];

describe.each(["light", "dark"] as const)("the %s theme", (theme) => {
  const colours = THEMES[theme] as Record<string, string>;

  it.each(PAIRS)("keeps %s readable on %s", (ink, ground) => {
    expect(contrast(colours[ink]!, colours[ground]!)).toBeGreaterThanOrEqual(4.5);
  });

  it("keeps the focus ring visible", () => {
    for (const ground of GROUNDS) expect(contrast(colours.focus!, colours[ground]!)).toBeGreaterThanOrEqual(3);
  });
});

it("keeps a log's sixteen colours readable on its ground", () => {
  const css = read("log.css");
  const ground = variables(css)["log-ground"]!;
  const inks = [...css.matchAll(/\.ink-(\d+) \{\s*color: (#[0-9a-f]{6})/g)];
  expect(inks).toHaveLength(16);
  for (const [, name, colour] of inks) expect(contrast(colour!, ground), `ink-${name}`).toBeGreaterThanOrEqual(4.5);
});
