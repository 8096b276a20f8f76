/** Placeholders of a gate: what is released, where. An unknown one is refused when the file is read. */
export const GATE_PLACEHOLDERS = ["version", "commit", "environment", "application"] as const;
export type GatePlaceholders = Record<(typeof GATE_PLACEHOLDERS)[number], string>;

/** @returns what stands in `${...}` and is none of them */
export const unknownPlaceholders = (text: string): string[] =>
  [...text.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1]!).filter((name) =>
    !(GATE_PLACEHOLDERS as readonly string[]).includes(name)
  );

const fill = (text: string, values: Readonly<GatePlaceholders>, quote: (value: string) => string): string =>
  text.replace(/\$\{(\w+)\}/g, (whole, name) => name in values ? quote(values[name as keyof GatePlaceholders]) : whole);

/** Into a query, where they stand in quotes: a tag's name may hold some, and must not end them. */
export const fillQuery = (text: string, values: Readonly<GatePlaceholders>): string =>
  fill(text, values, (value) => value.replace(/["'`\\]/g, "\\$&"));
export const fillAddress = (text: string, values: Readonly<GatePlaceholders>): string =>
  fill(text, values, encodeURIComponent);
export const fillText = (text: string, values: Readonly<GatePlaceholders>): string =>
  fill(text, values, (value) => value);
