/** Addresses and pages. The address holds what a reload must bring back: the page, its id, the chosen task. */
import { computed, signal } from "@preact/signals";

const address = signal("/");
export const path = computed(() => address.value.split("?")[0]!);
export const query = computed(() => new URLSearchParams(address.value.split("?")[1] ?? ""));

export function startRouter(): void {
  const read = () => address.value = location.pathname + location.search;
  addEventListener("popstate", read);
  addEventListener("click", followLink);
  read();
}

export function navigate(to: string, how: "push" | "replace" = "push"): void {
  if (to === address.value) return;
  if (how === "push") history.pushState(null, "", to);
  else history.replaceState(null, "", to);
  const isOtherPage = to.split("?")[0] !== path.value;
  address.value = to;
  if (how === "push" && isOtherPage) scrollTo(0, 0);
}

/** Changes parts of the query, keeps the page; undefined takes a part away. */
export function setQuery(parts: Record<string, string | undefined>, how: "push" | "replace" = "replace"): void {
  const next = new URLSearchParams(query.value);
  for (const [name, value] of Object.entries(parts)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  const text = next.toString();
  navigate(path.value + (text ? `?${text}` : ""), how);
}

/** Plain links stay links: new tab, middle click and copying the address work as everywhere. */
function followLink(event: MouseEvent): void {
  if (
    event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey
  ) return;
  const link = (event.target as Element).closest?.("a[href]") as HTMLAnchorElement | null;
  if (!link || link.target || link.hasAttribute("download") || link.dataset.native !== undefined) return;
  const to = new URL(link.href);
  if (to.origin !== location.origin || to.pathname.startsWith("/api/") || to.pathname.startsWith("/docs")) return;
  event.preventDefault();
  navigate(to.pathname + to.search);
}

/** `/deployments/:id` against `/deployments/42` -> `{id: "42"}`. */
export function matchPath(pattern: string, actual: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = actual.replace(/(.)\/$/, "$1").split("/");
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index]!;
    if (part.startsWith(":")) found[part.slice(1)] = decodePart(value);
    else if (part !== value) return undefined;
  }
  return found;
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Where to go after signing in: only to a page of ours. */
export const safeReturn = (next: string | null): string => next && /^\/(?![\/\\])/.test(next) ? next : "/";
