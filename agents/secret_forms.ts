/** The ways in which a known secret may turn up in a log: as it is, and as common tools escape and encode it. */

/** Bytes. Shorter ones would mask half of every log and hide nothing. */
export const SHORTEST_SECRET = 4;

export function secretForms(secrets: Iterable<string>): Uint8Array[] {
  const text = new TextEncoder();
  const forms = new Map<string, Uint8Array>();
  const add = (form: string) => {
    const bytes = text.encode(form);
    if (bytes.length >= SHORTEST_SECRET) forms.set(form, bytes);
  };
  for (const secret of secrets) {
    // A log is written line by line, so each line of a key file is a secret too.
    const parts = new Set([
      secret,
      secret.trim(),
      ...secret.split(/\r?\n/),
      ...secret.split(/\r?\n/).map((l) => l.trim()),
    ]);
    for (const part of parts) {
      if (text.encode(part).length < SHORTEST_SECRET) continue;
      add(part);
      for (const escape of ESCAPES) add(escape(part));
      for (const core of base64Cores(text.encode(part))) add(core);
    }
  }
  return [...forms.values()];
}

const json = (value: string) => JSON.stringify(value).slice(1, -1);
const hex4 = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
const url = (value: string) => encodeURIComponent(value.toWellFormed());

const ESCAPES: ((value: string) => string)[] = [
  json,
  (v) => json(v).replace(/[<>&]/g, hex4), // encoders that make JSON safe within HTML
  (v) => json(v).replace(/[^\x20-\x7e]/g, hex4), // encoders that write ASCII only
  (v) => json(v).replaceAll("/", "\\/"),
  url,
  (v) => url(v).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
  (v) => url(v).replace(/%[0-9A-F]{2}/g, (c) => c.toLowerCase()),
  (v) => url(v).replaceAll("%20", "+"),
  (v) => v.replaceAll("'", `'\\''`), // the three ways shells quote: within '...', with "'" between, by backslashes
  (v) => v.replaceAll("'", `'"'"'`),
  (v) => v.replace(/[^\w@%+=:,./-]/g, "\\$&"),
  (v) => v.replace(/["\\$`]/g, "\\$&"),
];

/**
 * The characters of the secret's base64 that depend on nothing else, for each of the three places where it may begin
 * within a group of three bytes; in both alphabets.
 */
function base64Cores(bytes: Uint8Array): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const padded = new Uint8Array(shift + bytes.length);
    padded.set(bytes, shift);
    let binary = "";
    for (const byte of padded) binary += String.fromCharCode(byte);
    const core = btoa(binary).slice(Math.ceil((shift * 8) / 6), Math.floor((padded.length * 8) / 6));
    return [core, core.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
