/**
 * A ticket is what one welcome gives and the next hello shows: whoever copied an agent's folder has its keys, but not the
 * tickets it was given since.
 */
export interface Ticket {
  text: string;
  /** SHA-256 in hex: all that is stored of it. */
  hash: string;
}

export async function makeTicket(): Promise<Ticket> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const text = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return { text, hash: await hashTicket(text) };
}

export async function hashTicket(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns the hash of the shown ticket that is believed; null when none is needed yet, undefined when none is right */
export async function findShown(
  known: { ticket?: string | null; previousTicket?: string | null },
  shown: readonly string[],
): Promise<string | null | undefined> {
  if (!known.ticket) return null;
  const good = [known.ticket, known.previousTicket];
  return (await Promise.all(shown.map(hashTicket))).find((hash) => good.includes(hash));
}
