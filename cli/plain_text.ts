/**
 * What a sentence may do to the terminal that shows it: lines, tabs and colours. Names, messages and reasons come from
 * repositories, machines and other people; what else they hold for a terminal (to move, to hide, to turn around, to
 * answer for the person) is shown as a sign that something stood there. Without a terminal nothing is coloured.
 */
const SHOWN_INSTEAD = "\ufffd";

const SIGNS = String.raw`\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]`;
const COLOUR = String.raw`\x1b\[(?:0|3[1-6])m`;
const NOT_TEXT = new RegExp(SIGNS, "g");
const COLOUR_OR_NOT_TEXT = new RegExp(`(${COLOUR})|${SIGNS}`, "g");
const RESET = "\x1b[0m";

export function toPlainText(text: string, hasColours: boolean): string {
  if (!hasColours) return text.replace(NOT_TEXT, SHOWN_INSTEAD);
  let last = RESET;
  const plain = text.replace(COLOUR_OR_NOT_TEXT, (_, colour?: string) => {
    if (colour !== undefined) last = colour;
    return colour ?? SHOWN_INSTEAD;
  });
  return last === RESET ? plain : plain + RESET; // one that somebody else began ends here
}

/** The same of JSON, where such signs stand within texts only: as its own escapes, so that nothing is lost. */
export const toPlainJson = (json: string): string =>
  json.replace(NOT_TEXT, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
